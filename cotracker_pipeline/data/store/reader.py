"""Reading shards, lazily and from any process."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

import h5py
import numpy as np
import simplejpeg

from cotracker_pipeline.data.store.layout import damage_told, open_shard, shape_problems
from cotracker_pipeline.data.store.sequence import Sequence
from cotracker_pipeline.errors import DamagedData


class ShardReader:
    """Reads one shard; sequences are counted from 0 in the order of their names.

    The file is opened at the first read in each process, so a reader may be pickled or forked into data
    loader workers.  Raises ``UserError`` when the file is missing, damaged, of another format or version, or
    holds arrays of wrong shapes.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        self._file: h5py.File | None = None
        self._process = 0
        with open_shard(path) as file, damage_told(self.path):
            self.provenance: dict[str, Any] = dict(file.attrs)
            self.names: list[str] = sorted(file["seq"])
            self._attributes = [self._checked_attributes(file["seq"][name]) for name in self.names]

    def _checked_attributes(self, group: h5py.Group) -> dict[str, Any]:
        for problem in shape_problems(group):
            raise self._damaged(group, problem)
        return dict(group.attrs)

    def __len__(self) -> int:
        return len(self.names)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_file": None}

    def close(self) -> None:
        """Close the file; the next read opens it again."""
        if self._file is not None and self._process == os.getpid():
            self._file.close()
        self._file = None

    def attributes(self, index: int) -> dict[str, Any]:
        """The plain facts of one sequence: T, H, W, N, codec and what the writer was given."""
        return self._attributes[index]

    def frames(self, index: int, start: int = 0, stop: int | None = None, stride: int = 1) -> np.ndarray:
        """Each ``stride``-th frame of ``start`` to ``stop`` (excluded; ``None``: the end) -> (t, H, W, 3)
        uint8, RGB.

        Raises ``IndexError`` when they are not all in the video, ``DamagedData``.
        """
        length = int(self._attributes[index]["T"])
        stop = length if stop is None else stop
        if not 0 <= start <= stop <= length:
            raise IndexError(f"{self.path}: frames {start} to {stop} of a video of {length}")
        with self._reading(index, "a frame is damaged") as group:
            if "jpeg" in group:
                return _read_jpeg(group, start, stop, stride)
            return group["video"][start:stop:stride]

    def labels(self, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Tracks (N, T, 2) float32 raster pixels, visible (N, T) bool, valid (N, T) bool.

        Raises ``DamagedData``.
        """
        with self._reading(index, "the labels are damaged") as group:
            visible = group["visible"][:]
            valid = group["valid"][:] if "valid" in group else np.ones_like(visible)
            return group["tracks"][:], visible, valid

    def query(self, index: int) -> np.ndarray | None:
        """The data set's own queries (Q, 3) float32: frame, x, y in raster pixels; ``None``: it has none.

        Raises ``DamagedData``.
        """
        with self._reading(index, "the queries are damaged") as group:
            return group["query"][:] if "query" in group else None

    def extra(self, index: int) -> dict[str, np.ndarray]:
        """The further arrays of one sequence. Raises ``DamagedData``."""
        with self._reading(index, "a further array is damaged") as group:
            return {key: value[()] for key, value in group.get("extra", {}).items()}

    def sequence(self, index: int) -> Sequence:
        """Everything of one sequence at once."""
        tracks, visible, valid = self.labels(index)
        return Sequence(
            name=self.names[index],
            video=self.frames(index),
            tracks=tracks,
            visible=visible,
            valid=valid,
            query=self.query(index),
            attrs=self.attributes(index),
            extra=self.extra(index),
        )

    def _damaged(self, group: h5py.Group, problem: str) -> DamagedData:
        return DamagedData(f"{self.path}: {group.name}: {problem}; make the file again")

    @contextmanager
    def _reading(self, index: int, what: str) -> Iterator[h5py.Group]:
        """The group of a sequence, in a block that says ``what`` of what goes wrong in it."""
        with damage_told(f"{self.path}: /seq/{self.names[index]}", what):
            yield self._group(index)

    def _group(self, index: int) -> h5py.Group:
        # an HDF5 handle must not cross a fork
        if self._file is None or self._process != os.getpid():
            self._file, self._process = open_shard(self.path), os.getpid()
        return self._file["seq"][self.names[index]]


def _read_jpeg(group: h5py.Group, start: int, stop: int, stride: int) -> np.ndarray:
    offsets = group["jpeg_offset"][start : stop + 1]
    blob = group["jpeg"][offsets[0] : offsets[-1]].tobytes()
    bounds = offsets - offsets[0]
    begins, ends = bounds[:-1:stride], bounds[1::stride]
    size = int(group.attrs["H"]), int(group.attrs["W"])
    # before room is made for what a damaged file states
    if start < stop and simplejpeg.decode_jpeg_header(blob[: bounds[1]])[:2] != size:
        raise ValueError(f"the frames are not of {size[0]}x{size[1]} pixels")
    frames = np.empty((len(begins), *size, 3), np.uint8)
    for frame, begin, end in zip(frames, begins, ends, strict=True):
        frame[:] = simplejpeg.decode_jpeg(blob[begin:end], colorspace="RGB")
    return frames
