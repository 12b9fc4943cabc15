"""Padding: black borders."""

from dataclasses import dataclass

import numpy as np

from cotracker_pipeline.data.augmentation.labels import Labels


@dataclass(frozen=True)
class Padding:
    """Pixels that are added at each side."""

    left: int
    right: int
    top: int
    bottom: int

    def label(self, labels: Labels) -> Labels:
        """The labels of the changed clip."""
        return Labels(
            labels.tracks + np.array([self.left, self.top], np.float32),
            labels.visible,
            labels.height + self.top + self.bottom,
            labels.width + self.left + self.right,
        )

    def paint(self, video: np.ndarray) -> np.ndarray:
        """The pixels of the changed clip."""
        frames, height, width, channels = video.shape
        padded = np.zeros(
            (frames, height + self.top + self.bottom, width + self.left + self.right, channels), np.uint8
        )
        padded[:, self.top : self.top + height, self.left : self.left + width] = video
        return padded


def draw_padding(rng: np.random.Generator, labels: Labels, most: int) -> Padding:
    """Up to ``most`` pixels at each side, the same in all frames."""
    del labels
    return Padding(*rng.integers(most + 1, size=4).tolist())
