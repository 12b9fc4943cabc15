"""Erasing: rectangles filled with their mean colour."""

from dataclasses import dataclass

import cv2
import numpy as np

from cotracker_pipeline.data.augmentation.labels import Labels
from cotracker_pipeline.data.augmentation.rectangles import Rectangle, draw_rectangles, hide


@dataclass(frozen=True)
class Erasing:
    """Rectangles that lose what they show; the points under them become invisible."""

    rectangles: tuple[Rectangle, ...]

    def label(self, labels: Labels) -> Labels:
        """The labels of the changed clip."""
        return hide(labels, self.rectangles)

    def paint(self, video: np.ndarray) -> np.ndarray:
        """The pixels of the changed clip, in place."""
        for rectangle in self.rectangles:
            part = video[rectangle.pixels]
            part[:] = np.rint(cv2.mean(part)[:3])
        return video


def draw_erasing(rng: np.random.Generator, labels: Labels, probability: float) -> Erasing:
    """Each frame but the first is erased in places with ``probability``."""
    return Erasing(draw_rectangles(rng, labels, probability))
