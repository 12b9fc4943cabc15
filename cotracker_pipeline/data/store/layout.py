"""What writer, reader and validation agree on: names, the opening of a file, the shapes of one sequence."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import h5py
import numpy as np

from cotracker_pipeline.errors import DamagedData, UserError

FORMAT = "ptdata"
VERSION = 1
COORDINATES = "raster_xy_px"
SIZES = ("T", "H", "W", "N")

#: What h5py, numpy and the decoder of JPEG raise at a damaged file, depending on which of its bits are wrong.
_DAMAGE = (OSError, RuntimeError, KeyError, TypeError, ValueError, AttributeError, OverflowError)


@contextmanager
def damage_told(where: str, what: str = "it is damaged") -> Iterator[None]:
    """Whatever reading a damaged file raises in the block becomes ``DamagedData``: ``where`` and ``what``."""
    try:
        yield
    except _DAMAGE as error:
        raise DamagedData(f"{where}: {what}; make the file again") from error


def open_shard(path: str | os.PathLike[str]) -> h5py.File:
    """Open a finished shard for reading.

    Raises ``UserError`` when the file is missing, damaged, not HDF5, or of another format or version.
    """
    if not os.path.isfile(path):
        raise UserError(f"{path}: no such file; render or convert the data first")
    with damage_told(f"{path}", "cannot be read as HDF5, it is truncated or of another format"):
        # shards never change once renamed into place, and locks fail on many cluster file systems
        file = h5py.File(path, "r", locking=False)
    try:
        with damage_told(f"{path}"):
            problem = _format_problem(file)
        if problem:
            raise UserError(f"{path}: {problem}")
    except UserError:
        file.close()
        raise
    return file


def _format_problem(file: h5py.File) -> str | None:
    if file.attrs.get("format") != FORMAT or "seq" not in file:
        return f"not a {FORMAT} file (attribute 'format'); convert the data first"
    version = file.attrs.get("version")
    if version != VERSION:
        return f"{FORMAT} version {version}, this package reads version {VERSION}; make the file again"
    if file.attrs.get("coords") != COORDINATES:
        return f"attribute 'coords' must be {COORDINATES!r}; make the file again"
    return None


def shape_problems(group: h5py.Group) -> Iterator[str]:
    """Yield what is wrong with the sizes of one sequence, reading no pixel."""
    missing = [key for key in SIZES if key not in group.attrs]
    if missing:
        yield f"attributes missing: {', '.join(missing)}"
        return
    frames, height, width, points = (int(group.attrs[key]) for key in SIZES)
    yield from _problems(group, "tracks", (points, frames, 2), np.float32)
    yield from _problems(group, "visible", (points, frames), np.bool_)
    if "valid" in group:
        yield from _problems(group, "valid", (points, frames), np.bool_)
    if "query" in group:
        yield from _problems(group, "query", (*group["query"].shape[:1], 3), np.float32)
    if group.attrs.get("codec") == "jpeg":
        yield from _problems(group, "jpeg", (*group["jpeg"].shape,) if "jpeg" in group else (), np.uint8)
        yield from _problems(group, "jpeg_offset", (frames + 1,), np.int64)
    else:
        yield from _problems(group, "video", (frames, height, width, 3), np.uint8)


def _problems(group: h5py.Group, key: str, shape: tuple[int, ...], dtype: type) -> Iterator[str]:
    if key not in group:
        yield f"{key} is missing"
    elif group[key].shape != shape or group[key].dtype != dtype:
        yield f"{key} is {group[key].dtype} {group[key].shape}, expected {np.dtype(dtype)} {shape}"
