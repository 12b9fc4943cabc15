"""Reading .npy and .npz files: what a header states is checked before room is made for it."""

import io
import math
import os
import zipfile
from typing import IO, Any, NamedTuple

import numpy as np

from cotracker_pipeline.data.formats.unpickling import read_pickle
from cotracker_pipeline.errors import UserError

MAX_BYTES = 8 << 30
"""Largest array that is read from a compressed archive, which may state any size in a few bytes."""

_REPAIR = "it is damaged or not of this format; get it again"


class _Header(NamedTuple):
    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype[Any]

    @property
    def size(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


def load_npy(path: str | os.PathLike[str]) -> Any:
    """The array in an .npy file, or the plain value where it holds a pickled object.

    Objects pass the restricted unpickler only. Raises ``UserError`` when the file cannot be read, is
    damaged, or its content is not plain data.
    """
    try:
        with open(path, "rb") as file:
            header = _header(file, str(path))
            if header.dtype.hasobject:
                return _plain(read_pickle(file, str(path)))
            return _array(file, header, os.path.getsize(path) - file.tell(), str(path))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); give an existing file") from error


def load_npz(path: str | os.PathLike[str], required: tuple[str, ...], optional: tuple[str, ...] = ()) -> dict:
    """The named arrays of an .npz file; those of ``optional`` where it has them; nothing else is read.

    Raises ``UserError`` when the file or a required array is missing or damaged, or an array holds objects.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
            missing = [key for key in required if f"{key}.npy" not in names]
            if missing:
                raise UserError(f"{path}: has no array {', '.join(missing)}; give a file of this format")
            return {
                key: _member(archive, key, str(path))
                for key in (*required, *optional)
                if f"{key}.npy" in names
            }
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file; give an existing one") from error
    except UserError:
        raise
    # zipfile meets damage with any type
    except Exception as error:
        raise UserError(f"{path}: cannot be read as .npz ({str(error)[:80]}); {_REPAIR}") from error


def _member(archive: zipfile.ZipFile, key: str, path: str) -> np.ndarray:
    info = archive.getinfo(f"{key}.npy")
    with archive.open(info) as file:
        header = _header(file, f"{path}: {key}")
        if header.dtype.hasobject:
            raise UserError(f"{path}: {key} holds Python objects; save it as an array of numbers")
        return _array(file, header, min(info.file_size - file.tell(), MAX_BYTES), f"{path}: {key}")


def _header(file: IO[bytes], name: str) -> _Header:
    try:
        version = np.lib.format.read_magic(file)
        readers = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }
        header = _Header(*readers[version](file))
    # numpy evaluates the header as a literal, which fails in any way
    except Exception as error:
        raise UserError(f"{name}: has no header of an .npy file; {_REPAIR}") from error
    plain = header.dtype.kind in "biufSUO" and header.dtype.names is None and header.dtype.itemsize
    if not plain or any(size < 0 for size in header.shape):
        raise UserError(f"{name}: an array of {header.dtype} {header.shape} is not plain data; {_REPAIR}")
    return header


def _array(file: IO[bytes], header: _Header, available: int, name: str) -> np.ndarray:
    if header.size > available:
        raise UserError(
            f"{name}: states {header.dtype} {header.shape}, for which the file has no room; {_REPAIR}"
        )
    content = bytearray(header.size)
    if _fill(file, content) != header.size:
        raise UserError(f"{name}: ends too early; {_REPAIR}")
    flat = np.frombuffer(content, header.dtype) if header.size else np.empty(0, header.dtype)
    return flat.reshape(header.shape, order="F" if header.fortran else "C")


def _fill(file: IO[bytes], content: bytearray) -> int:
    """Read as much of ``content`` as the file holds, and return how many bytes that is."""
    view, done = memoryview(content), 0
    while block := file.read(min(io.DEFAULT_BUFFER_SIZE * 128, len(content) - done)):
        view[done : done + len(block)] = block
        done += len(block)
    return done


def _plain(value: Any) -> Any:
    """What an array without dimensions wraps, as ``np.save`` writes an object."""
    is_wrapped = isinstance(value, np.ndarray) and value.shape == ()
    return value.item() if is_wrapped else value
