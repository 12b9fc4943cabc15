"""Random rectangles that cover parts of single frames."""

from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from cotracker_pipeline.data.augmentation.labels import Labels
from cotracker_pipeline.data.coordinates import index_to_raster

MOST_RECTANGLES = 10
# sides in pixels, both included
SHORTEST_SIDE, LONGEST_SIDE = 2, 99


class Rectangle(NamedTuple):
    """The pixels of rows ``top`` to ``bottom`` and columns ``left`` to ``right`` (excluded) of a frame."""

    frame: int
    left: int
    top: int
    right: int
    bottom: int

    @property
    def pixels(self) -> tuple[int, slice, slice]:
        """Its place in a video (T, H, W, 3)."""
        return self.frame, slice(self.top, self.bottom), slice(self.left, self.right)


def draw_rectangles(rng: np.random.Generator, labels: Labels, probability: float) -> tuple[Rectangle, ...]:
    """One to ten rectangles in each frame with ``probability``, in the first frame never."""
    return tuple(
        _draw_rectangle(rng, frame, labels.size)
        for frame in range(1, labels.frames)
        if rng.random() < probability
        for _ in range(rng.integers(1, MOST_RECTANGLES + 1))
    )


def _draw_rectangle(rng: np.random.Generator, frame: int, size: np.ndarray) -> Rectangle:
    centre = rng.integers(0, size)
    half = rng.integers(SHORTEST_SIDE, LONGEST_SIDE + 1, 2) / 2
    corner = np.floor(centre - half + 0.5).astype(int)
    left, top = np.maximum(corner, 0).tolist()
    right, bottom = np.minimum(corner + (2 * half).astype(int), size).tolist()
    return Rectangle(frame, left, top, right, bottom)


def hide(labels: Labels, rectangles: Iterable[Rectangle]) -> Labels:
    """The labels with the points under ``rectangles`` invisible."""
    visible = labels.visible.copy()
    raster = index_to_raster(labels.tracks)
    for frame, *corners in rectangles:
        xy = raster[frame]
        visible[frame] &= ~((xy >= corners[:2]) & (xy < corners[2:])).all(axis=-1)
    return replace(labels, visible=visible)
