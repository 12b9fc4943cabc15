"""One video with its tracks, as held in memory."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cotracker_pipeline.errors import UserError, may_be_told


@dataclass(frozen=True)
class Sequence:
    """One video with its tracks.

    name: unique within a shard; printable, without ``/``.
    video: (T, H, W, 3) uint8, RGB.
    tracks: (N, T, 2) float32, x and y in raster pixels of ``video`` (pixel centres at 0.5).
    visible: (N, T) bool.
    valid: (N, T) bool, where the position is annotated; ``None``: everywhere.
    query: (Q, 3) float32, frame and x, y in raster pixels, where the data set brings its own queries.
    attrs: plain facts (seed, frames per second, camera, ...): numbers, texts, small arrays.
    extra: further arrays of any shape.
    Raises ``UserError`` when an array has the wrong shape or type.
    """

    name: str
    video: np.ndarray
    tracks: np.ndarray
    visible: np.ndarray
    valid: np.ndarray | None = None
    query: np.ndarray | None = None
    attrs: Mapping[str, Any] = field(default_factory=dict)
    extra: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not may_be_told(self.name) or "/" in self.name or self.name in ("", "."):
            raise UserError(
                f"sequence {self.name[:200]!r}: the name must be short and printable, without '/'; rename it"
            )
        frames = self.video.shape[0] if self.video.ndim else 0
        points = self.tracks.shape[0] if self.tracks.ndim else 0
        self._require("video", self.video, (frames, None, None, 3), np.uint8)
        self._require("tracks", self.tracks, (points, frames, 2), np.float32)
        self._require("visible", self.visible, (points, frames), np.bool_)
        if self.valid is not None:
            self._require("valid", self.valid, (points, frames), np.bool_)
        if self.query is not None:
            self._require("query", self.query, (None, 3), np.float32)

    def _require(self, key: str, array: np.ndarray, shape: tuple[int | None, ...], dtype: type) -> None:
        fits = array.ndim == len(shape) and all(
            want in (None, have) for want, have in zip(shape, array.shape, strict=True)
        )
        if not fits or array.dtype != dtype:
            wanted = ", ".join("any" if size is None else str(size) for size in shape)
            raise UserError(
                f"sequence {self.name!r}: {key} is {array.dtype} {array.shape}; "
                f"it must be {np.dtype(dtype)} ({wanted})"
            )
