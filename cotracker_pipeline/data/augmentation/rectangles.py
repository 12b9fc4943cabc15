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
    later = np.arange(1, labels.frames)
    counts = rng.integers(1, MOST_RECTANGLES + 1, len(later)) * (rng.random(len(later)) < probability)
    frames = np.repeat(later, counts)
    centres = rng.integers(0, labels.size, (len(frames), 2))
    sides = rng.integers(SHORTEST_SIDE, LONGEST_SIDE + 1, (len(frames), 2))
    corners = centres - sides // 2
    low, high = np.maximum(corners, 0), np.minimum(corners + sides, labels.size)
    return tuple(Rectangle(*row) for row in np.column_stack([frames, low, high]).tolist())


def hide(labels: Labels, rectangles: Iterable[Rectangle]) -> Labels:
    """The labels with the points under ``rectangles`` invisible."""
    visible = labels.visible.copy()
    x, y = np.ascontiguousarray(np.moveaxis(index_to_raster(labels.tracks), -1, 0))
    for frame, left, top, right, bottom in rectangles:
        across, down = x[frame], y[frame]
        visible[frame] &= ~((across >= left) & (across < right) & (down >= top) & (down < bottom))
    return replace(labels, visible=visible)
