"""What a change does to the labels of a clip before any pixel is read."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Labels:
    """The tracks of a clip whose frames are ``height`` times ``width`` pixels.

    tracks: (T, N, 2) float32, pixel indices; visible: (T, N) bool.
    """

    tracks: np.ndarray
    visible: np.ndarray
    height: int
    width: int

    @property
    def frames(self) -> int:
        """T."""
        return len(self.tracks)

    @property
    def size(self) -> np.ndarray:
        """Width and height, in the order of the tracks: (2,) int64."""
        return np.array([self.width, self.height])
