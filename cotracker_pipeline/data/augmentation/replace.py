"""Replacing: rectangles that show another place and time of the clip, in other colours."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from cotracker_pipeline.data.augmentation.jitter import ColourJitter, draw_colours
from cotracker_pipeline.data.augmentation.labels import Labels
from cotracker_pipeline.data.augmentation.rectangles import Rectangle, draw_rectangles, hide

# the colours of what is copied are changed this often
JITTERS = 2


class Patch(NamedTuple):
    """A rectangle, the one of the same size that is copied there, and what happens to its colours."""

    target: Rectangle
    source: Rectangle
    colours: tuple[ColourJitter, ...]


@dataclass(frozen=True)
class Replacement:
    """Patches over the clip; the points under them become invisible."""

    patches: tuple[Patch, ...]

    def label(self, labels: Labels) -> Labels:
        """The labels of the changed clip."""
        return hide(labels, (patch.target for patch in self.patches))

    def paint(self, video: np.ndarray) -> np.ndarray:
        """The pixels of the changed clip, in place."""
        # all are taken before the first is put: none shows another one
        copies = [_copied(video, patch) for patch in self.patches]
        for patch, copy in zip(self.patches, copies, strict=True):
            video[patch.target.pixels] = copy
        return video


def draw_replacement(rng: np.random.Generator, labels: Labels, probability: float) -> Replacement:
    """Each frame but the first is replaced in places with ``probability``."""
    rectangles = draw_rectangles(rng, labels, probability)
    colours = [draw_colours(rng, JITTERS) for _ in range(labels.frames)] if rectangles else []
    patches = []
    for target in rectangles:
        source = _draw_source(rng, target, labels)
        patches.append(Patch(target, source, colours[source.frame]))
    return Replacement(tuple(patches))


def _draw_source(rng: np.random.Generator, target: Rectangle, labels: Labels) -> Rectangle:
    width, height = target.right - target.left, target.bottom - target.top
    frame = int(rng.integers(labels.frames))
    left = int(rng.integers(labels.width - width + 1))
    top = int(rng.integers(labels.height - height + 1))
    return Rectangle(frame, left, top, left + width, top + height)


def _copied(video: np.ndarray, patch: Patch) -> np.ndarray:
    # only the patch is recoloured: the rest of its frame is never seen
    image = np.ascontiguousarray(video[patch.source.pixels])
    for jitter in patch.colours:
        image = jitter.apply(image)
    return image
