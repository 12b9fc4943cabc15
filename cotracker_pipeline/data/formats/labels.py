"""Checking third-party labels and bringing them into the form of the store."""

from typing import Any, NamedTuple

import numpy as np

from cotracker_pipeline.errors import UserError


class Labels(NamedTuple):
    """tracks: (N, T, 2) float32, raster pixels, finite; visible, valid: (N, T) bool; kept: (N,) which of the
    source's tracks these are, as indices."""

    tracks: np.ndarray
    visible: np.ndarray
    valid: np.ndarray
    kept: np.ndarray

    def select(self, kept: np.ndarray) -> "Labels":
        """Some of the tracks, by mask or index."""
        return Labels(*(part[kept] for part in self))


def array_of(values: Any, key: str, where: str, shape: tuple[int | None, ...], kinds: str) -> np.ndarray:
    """``values[key]``, checked.

    shape: sizes, ``None`` for any; kinds: letters of numpy's kinds of types, "f" floating, "b" bool, "u"
    and "i" integers. Raises ``UserError`` naming ``where`` and ``key`` when it is missing or something
    else.
    """
    if not isinstance(values, dict) or key not in values:
        raise UserError(f"{where}: has no '{key}'; give a file of this format")
    array = values[key]
    wanted = "(" + ", ".join("any" if size is None else str(size) for size in shape) + ")"
    if not isinstance(array, np.ndarray):
        raise UserError(
            f"{where}: '{key}' is a {type(array).__name__}, not an array of shape {wanted}; get it again"
        )
    fits = array.ndim == len(shape) and all(
        want in (None, have) for want, have in zip(shape, array.shape, strict=True)
    )
    if not fits or array.dtype.kind not in kinds:
        raise UserError(
            f"{where}: '{key}' is {array.dtype} {array.shape}, expected shape {wanted}; "
            "labels and frames must belong together"
        )
    return array


def labels_of(tracks: np.ndarray, visible: np.ndarray, valid: np.ndarray | bool, where: str) -> Labels:
    """Labels in the form of the store; tracks that are never visible are left out, nothing can query them.

    tracks: (N, T, 2) floating, raster pixels; visible: (N, T) bool; valid: the same, or ``True`` for
    everywhere. A hidden position that is not finite becomes (0, 0) and not valid. Raises ``UserError`` when
    a visible position is not finite.
    """
    with np.errstate(over="ignore"):
        tracks = tracks.astype(np.float32)
    finite = np.isfinite(tracks).all(axis=-1)
    if broken := int((visible & ~finite).sum()):
        raise UserError(
            f"{where}: {broken} visible positions are NaN or infinite; hide them or get the file again"
        )
    kept = np.flatnonzero(visible.any(axis=1))
    cleaned = np.where(finite[..., None], tracks, np.float32(0))
    return Labels(cleaned, visible, finite & valid, np.arange(len(tracks))).select(kept)


def may_be_visible(tracks: np.ndarray, video: np.ndarray) -> np.ndarray:
    """Which positions (N, T) do not lie outside of the frames; one that is not finite lies nowhere.

    tracks: (N, T, 2) floating, raster pixels; video: (T, H, W, 3).
    """
    height, width = video.shape[1:3]
    outside = (tracks < 0) | (tracks > np.array([width, height]))
    known_outside = outside.any(axis=-1) & np.isfinite(tracks).all(axis=-1)
    return np.logical_not(known_outside)
