"""Texture look-up in mip pyramids: far and slanted surfaces do not flicker."""

from collections.abc import Sequence

import cv2
import numpy as np

SMALLEST = 4


class Mipmaps:
    """The pyramids of several square textures, in one flat array of packed texels."""

    def __init__(self, textures: Sequence[np.ndarray]) -> None:
        """textures: (S, S, 3) uint8 each, S a power of two of at least ``SMALLEST``; sizes may differ."""
        pyramids = [_pyramid(texture) for texture in textures]
        levels = max(map(len, pyramids))
        self._last = np.array([len(pyramid) - 1 for pyramid in pyramids], np.int32)
        self._size = np.ones((len(pyramids), levels), np.int32)
        self._start = np.zeros((len(pyramids), levels), np.int32)
        texels, start = [], 0
        for row, pyramid in enumerate(pyramids):
            for level, image in enumerate(pyramid):
                self._size[row, level], self._start[row, level] = len(image), start
                texels.append(_pack(image))
                start += image.shape[0] * image.shape[1]
        self._texels = np.concatenate(texels)

    def colours(self, texture: np.ndarray, u: np.ndarray, v: np.ndarray, level: np.ndarray) -> np.ndarray:
        """Look up M bilinear samples, wrapping around -> (3, M) float32, 0..255.

        texture: (M,) int; u, v: (M,) float32, texture repeats; level: (M,) float32, log2 of texels a pixel.
        """
        nearest = np.clip(np.rint(level), 0, self._last[texture]).astype(np.int32)
        size, start = self._size[texture, nearest], self._start[texture, nearest]
        x, y = u * size - np.float32(0.5), v * size - np.float32(0.5)
        left, top = np.floor(x), np.floor(y)
        x -= left
        y -= top
        # sizes are powers of two: the mask wraps
        columns = [(left.astype(np.int32) + step) & (size - 1) for step in (0, 1)]
        rows = [start + ((top.astype(np.int32) + step) & (size - 1)) * size for step in (0, 1)]
        corners = [[_unpack(self._texels[row + column]) for column in columns] for row in rows]
        return np.stack([_bilinear([[c[k] for c in row] for row in corners], x, y) for k in range(3)])


def _pyramid(texture: np.ndarray) -> list[np.ndarray]:
    levels = [texture]
    while len(levels[-1]) > SMALLEST:
        levels.append(cv2.resize(levels[-1], None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))
    return levels


def _pack(image: np.ndarray) -> np.ndarray:
    """(S, S, 3) uint8 -> (S * S,) uint32: one memory access a texel instead of three."""
    return cv2.cvtColor(image, cv2.COLOR_RGB2RGBA).view(np.uint32).ravel()


def _unpack(texels: np.ndarray) -> np.ndarray:
    return texels.view(np.uint8).reshape(-1, 4).T


def _bilinear(corners: list[list[np.ndarray]], x: np.ndarray, y: np.ndarray) -> np.ndarray:
    (a, b), (c, d) = [[corner.astype(np.float32) for corner in row] for row in corners]
    upper, lower = a + (b - a) * x, c + (d - c) * x
    return upper + (lower - upper) * y
