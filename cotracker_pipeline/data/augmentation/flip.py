"""Flips: the whole clip mirrored."""

from dataclasses import dataclass, replace

import numpy as np

from cotracker_pipeline.data.augmentation.labels import Labels


@dataclass(frozen=True)
class Flip:
    """Whether left and right, and top and bottom, change places."""

    left_right: bool
    top_bottom: bool

    def label(self, labels: Labels) -> Labels:
        """The labels of the changed clip."""
        last = (labels.size - 1).astype(np.float32)
        mirrored = np.array([self.left_right, self.top_bottom])
        return replace(labels, tracks=np.where(mirrored, last - labels.tracks, labels.tracks))

    def paint(self, video: np.ndarray) -> np.ndarray:
        """The pixels of the changed clip, a view of ``video``."""
        return video[:, :: -1 if self.top_bottom else 1, :: -1 if self.left_right else 1]


def draw_flip(rng: np.random.Generator, labels: Labels, horizontally: bool, vertically: bool) -> Flip:
    """Each direction that is allowed is mirrored in one of two clips."""
    del labels
    return Flip(horizontally and bool(rng.integers(2)), vertically and bool(rng.integers(2)))
