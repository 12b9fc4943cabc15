"""Drawing into an enlarged video frame, below a pixel's accuracy, in raster pixels of the video."""

from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

_SHIFT = 4
"""Fractional bits of OpenCV's fixed-point coordinates."""

Colour = tuple[int, int, int]
"""Red, green and blue, 0..255."""


@dataclass(frozen=True)
class Canvas:
    """A frame that is drawn into.

    pixels: (f H, f W, 3) uint8, RGB, of a frame of H x W pixels that is ``enlargement`` f times as large.
    """

    pixels: NDArray[np.uint8]
    enlargement: int

    @classmethod
    def over(cls, frame: NDArray[np.uint8], enlargement: int) -> Self:
        """A canvas that shows ``frame`` (H, W, 3) uint8."""
        size = (enlargement * frame.shape[1], enlargement * frame.shape[0])
        pixels = cv2.resize(frame, size, interpolation=cv2.INTER_CUBIC)
        return cls(np.asarray(pixels, dtype=np.uint8), enlargement)

    def line(self, points: NDArray[np.floating], colour: Colour) -> None:
        """A line through ``points`` (n, 2)."""
        cv2.polylines(self.pixels, [self._fixed(points)], False, colour, 1, cv2.LINE_AA, _SHIFT)

    def dot(self, at: NDArray[np.floating], colour: Colour, *, filled: bool, radius: int = 4) -> None:
        """A disk, or a ring, of ``radius`` pixels of the canvas around ``at`` (2,)."""
        thickness = cv2.FILLED if filled else 1
        cv2.circle(self.pixels, self._point(at), radius * 2**_SHIFT, colour, thickness, cv2.LINE_AA, _SHIFT)

    def _point(self, at: NDArray[np.floating]) -> tuple[int, int]:
        x, y = self._fixed(at)
        return int(x), int(y)

    def _fixed(self, points: NDArray[np.floating]) -> NDArray[np.int32]:
        """Raster pixels of the video to fixed-point pixel indices of the canvas."""
        # cv2 puts integers at pixel centres, the raster puts them at corners
        indices = self.enlargement * points - 0.5
        # far outside the frame fixed-point numbers would overflow
        return np.asarray(np.rint(np.clip(indices, -4096, 16384) * 2**_SHIFT), dtype=np.int32)
