"""Blur: a Gaussian of another width in every frame."""

from dataclasses import dataclass

import cv2
import numpy as np

from cotracker_pipeline.data.augmentation.labels import Labels

# pixels across the published kernel, and its standard deviation in pixels
KERNEL = (11, 11)
SHARPEST, SOFTEST = 0.1, 2.0


@dataclass(frozen=True)
class Blur:
    """The standard deviation of each frame's Gaussian, pixels; none when the clip stays sharp."""

    widths: tuple[float, ...]

    def label(self, labels: Labels) -> Labels:
        """The labels, which stay."""
        return labels

    def paint(self, video: np.ndarray) -> np.ndarray:
        """The pixels of the changed clip, in place."""
        for frame, width in zip(video, self.widths, strict=False):
            frame[:] = cv2.GaussianBlur(frame, KERNEL, width)
        return video


def draw_blur(rng: np.random.Generator, labels: Labels, probability: float) -> Blur:
    """With ``probability`` every frame of the clip is blurred."""
    if rng.random() >= probability:
        return Blur(())
    return Blur(tuple(rng.uniform(SHARPEST, SOFTEST, labels.frames).tolist()))
