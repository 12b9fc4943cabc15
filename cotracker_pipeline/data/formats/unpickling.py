"""Reading the pickles of data sets without running anything that they say.

A pickle is a program. The published sets need a small part of the language: containers, numbers, texts,
bytes and numpy arrays. Every operation and every name outside of that part is refused before anything is
called or imported, by allow-lists: of opcodes (``_OPCODES``), of names (``_BUILDERS``), of element types
(``_DTYPE``). The interpreter is the one of the standard library written in Python: it keeps its memo in a
dictionary, where the one written in C allocates whatever number the file states.
"""

import io
import math
import os
import pickle
import re
from collections.abc import Callable
from typing import IO, Any, ClassVar

import numpy as np

from cotracker_pipeline.errors import UserError

_DTYPE = re.compile(r"[<|=]?(b1|[iu][1248]|f[248]|O8?|[SU]\d{1,9})")
MAX_COPIES = 8
"""How often over a file's content may be built from: honest ones do twice, with some names in addition."""

_REPAIR = "it is damaged or not the published file; download it again from its owner"


def load_pickle(path: str | os.PathLike[str]) -> Any:
    """The content of a pickle of protocol 0 to 5, written with numpy 1 or 2.

    Arrays of numbers are read-only and share the memory of what was read.
    Raises ``UserError`` when the file cannot be opened, is damaged or states anything but plain data.
    """
    try:
        with open(path, "rb") as file:
            return read_pickle(file, str(path))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); give an existing file") from error


def read_pickle(file: IO[bytes], name: str) -> Any:
    """As ``load_pickle``, from the position of an open file; ``name`` is what errors call it."""
    try:
        return _PlainUnpickler(_Rest(file)).load()
    except pickle.UnpicklingError as error:
        raise UserError(f"{name}: refused, {error}; {_REPAIR}") from error
    except OSError:
        raise
    # an interpreter of damaged programs fails in any way
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"[:120]
        raise UserError(f"{name}: cannot be read as a pickle ({reason}); {_REPAIR}") from error


class _Rest:
    """The rest of a file, which never hands out, nor makes room for, more than there is."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        start = file.tell()
        self.size = file.seek(0, io.SEEK_END) - start
        file.seek(start)
        self._end = start + self.size

    def read(self, size: int) -> bytes:
        if not 0 <= size <= self._end - self._file.tell():
            raise pickle.UnpicklingError(f"it states {size} more bytes than the file has room for")
        return self._file.read(size)

    def readline(self) -> bytes:
        return self._file.readline()


class _Builder:
    """A function that a pickle may call, and can do nothing else with."""

    __slots__ = ("function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function


def _dtype(spec: Any, _align: Any = False, _copy: Any = True) -> np.dtype[Any]:
    if not isinstance(spec, str) or not _DTYPE.fullmatch(spec):
        raise pickle.UnpicklingError("an array's elements are of a type that plain data do not need")
    return np.dtype(spec)


def _reconstruct(kind: Any, shape: Any, _letter: Any) -> np.ndarray:
    """An empty array, which ``BUILD`` then fills: honest pickles state no other shape."""
    if kind is not _BUILDERS["numpy", "ndarray"] or shape != (0,):
        raise pickle.UnpicklingError("an array is begun with a shape or type that numpy does not write")
    return np.empty(0, np.uint8)


def _refuse_call(*_: Any) -> None:
    raise pickle.UnpicklingError("it calls numpy.ndarray itself")


def _scalar(dtype: Any, content: Any) -> Any:
    _require_dtype(dtype, has_objects=False)
    return _array(content, dtype, (1,), "C")[0]


def _array(buffer: Any, dtype: Any, shape: Any, order: Any) -> np.ndarray:
    """An array over ``buffer``, whose size must be the one that shape and type make."""
    _require_dtype(dtype, has_objects=False)
    if dtype.itemsize == 0:
        raise pickle.UnpicklingError("an array's elements have no size, so that any shape would fit")
    size = _count(shape) * dtype.itemsize
    if not isinstance(buffer, bytes | bytearray) or len(buffer) != size or order not in ("C", "F"):
        raise pickle.UnpicklingError("an array's bytes do not fit its shape")
    if size == 0:
        return np.empty(shape, dtype)
    return np.frombuffer(buffer, dtype).reshape(shape, order=order)


def _encode(text: Any, encoding: Any) -> bytes:
    """How protocols below 3 write bytes."""
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError("it encodes something but bytes")
    return text.encode("latin-1")


def _no_bytes() -> bytes:
    """How protocols below 3 write no bytes at all."""
    return b""


def _mapping(*arguments: Any) -> dict[Any, Any]:
    """An ordered mapping; protocols below 3 hand its pairs over, later ones set them one by one."""
    pairs = arguments[0] if arguments else []
    if len(arguments) > 1 or not isinstance(pairs, list):
        raise pickle.UnpicklingError("a mapping is made of something but a list of pairs")
    for key, _ in pairs:
        _require_key(key)
    return dict(pairs)


_CORES = ("numpy.core", "numpy._core")
_BUILDERS = {
    ("numpy", "ndarray"): _Builder(_refuse_call),
    ("numpy", "dtype"): _Builder(_dtype),
    ("_codecs", "encode"): _Builder(_encode),
    ("builtins", "bytes"): _Builder(_no_bytes),
    ("__builtin__", "bytes"): _Builder(_no_bytes),
    ("collections", "OrderedDict"): _Builder(_mapping),
    **{(f"{core}.multiarray", "_reconstruct"): _Builder(_reconstruct) for core in _CORES},
    **{(f"{core}.multiarray", "scalar"): _Builder(_scalar) for core in _CORES},
    **{(f"{core}.numeric", "_frombuffer"): _Builder(_array) for core in _CORES},
}

# fmt: off
_STRUCTURE = [
    pickle.PROTO, pickle.FRAME, pickle.STOP, pickle.MARK, pickle.POP, pickle.POP_MARK, pickle.DUP,
    pickle.MEMOIZE, pickle.PUT, pickle.BINPUT, pickle.LONG_BINPUT, pickle.GET, pickle.BINGET,
    pickle.LONG_BINGET,
]
_VALUES = [
    pickle.NONE, pickle.NEWTRUE, pickle.NEWFALSE, pickle.INT, pickle.BININT, pickle.BININT1, pickle.BININT2,
    pickle.LONG, pickle.LONG1, pickle.LONG4, pickle.FLOAT, pickle.BINFLOAT,
    pickle.STRING, pickle.BINSTRING, pickle.SHORT_BINSTRING,
    pickle.UNICODE, pickle.BINUNICODE, pickle.SHORT_BINUNICODE, pickle.BINUNICODE8,
    pickle.BINBYTES, pickle.SHORT_BINBYTES, pickle.BINBYTES8, pickle.BYTEARRAY8,
]
_CONTAINERS = [
    pickle.EMPTY_TUPLE, pickle.TUPLE, pickle.TUPLE1, pickle.TUPLE2, pickle.TUPLE3,
    pickle.EMPTY_LIST, pickle.LIST, pickle.APPEND, pickle.APPENDS,
    pickle.EMPTY_DICT, pickle.DICT, pickle.SETITEM, pickle.SETITEMS,
]
_ARRAYS = [pickle.GLOBAL, pickle.STACK_GLOBAL, pickle.REDUCE, pickle.BUILD]
# fmt: on
_OPCODES = {code[0] for family in (_STRUCTURE, _VALUES, _CONTAINERS, _ARRAYS) for code in family}


class _PlainUnpickler(pickle._Unpickler):
    """The standard interpreter with fewer operations, and stricter ones."""

    # of the interpreter
    stack: list[Any]
    append: Callable[[Any], None]
    read: Callable[[int], bytes]
    pop_mark: Callable[[], list[Any]]

    def __init__(self, rest: _Rest) -> None:
        super().__init__(rest, encoding="latin1")
        self._left_to_copy = MAX_COPIES * rest.size

    def find_class(self, module: str, name: str) -> Any:
        """The stand-in for one of the names that plain data need."""
        try:
            return _BUILDERS[module, name]
        except (KeyError, TypeError):
            wanted = f"{module}.{name}"[:120]
            raise pickle.UnpicklingError(f"it wants to import {wanted!r}") from None

    def persistent_load(self, _pid: Any) -> Any:
        raise pickle.UnpicklingError("it refers to objects outside of the file")

    def load_reduce(self) -> None:
        arguments = self.stack.pop()
        builder = self.stack[-1]
        if not isinstance(builder, _Builder) or not isinstance(arguments, tuple):
            raise pickle.UnpicklingError("it calls something that is no builder of plain data")
        for argument in arguments:
            self._count_copy(argument)
        self.stack[-1] = builder.function(*arguments)

    def load_build(self) -> None:
        state = self.stack.pop()
        target = self.stack[-1]
        if isinstance(target, np.dtype):
            _check_dtype_state(target, state)
        elif isinstance(target, np.ndarray):
            content = _check_array_state(target, state)
            self._count_copy(content)
            target.__setstate__(state)
        else:
            raise pickle.UnpicklingError(f"it changes a {type(target).__name__}")

    def _count_copy(self, content: Any) -> None:
        """Refuse to build again and again from the same values: a small file would fill the memory."""
        if isinstance(content, str | bytes | bytearray | list):
            self._left_to_copy -= len(content)
        if self._left_to_copy < 0:
            raise pickle.UnpicklingError("it makes far more of its values than the file holds")

    def load_bytearray8(self) -> None:
        # reads first and makes room then
        self.append(bytearray(self.read(int.from_bytes(self.read(8), "little"))))

    def load_refused(self) -> None:
        raise pickle.UnpicklingError("it uses an operation that plain data do not need")

    def load_setitem(self) -> None:
        value = self.stack.pop()
        key = self.stack.pop()
        self._set_items([key, value])

    def load_setitems(self) -> None:
        self._set_items(self.pop_mark())

    def load_dict(self) -> None:
        items = self.pop_mark()
        self.stack.append({})
        self._set_items(items)

    def _set_items(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if not isinstance(target, dict) or len(items) % 2:
            raise pickle.UnpicklingError("it sets items of something that is no dictionary")
        for key, value in zip(items[::2], items[1::2], strict=True):
            _require_key(key)
            target[key] = value

    def load_append(self) -> None:
        value = self.stack.pop()
        self._extend([value])

    def load_appends(self) -> None:
        self._extend(self.pop_mark())

    def _extend(self, values: list[Any]) -> None:
        target = self.stack[-1]
        if not isinstance(target, list):
            raise pickle.UnpicklingError("it appends to something that is no list")
        target.extend(values)

    dispatch: ClassVar[dict[int, Callable[[Any], None]]] = {
        **dict.fromkeys(pickle._Unpickler.dispatch, load_refused),
        **{code: load for code, load in pickle._Unpickler.dispatch.items() if code in _OPCODES},
        pickle.BYTEARRAY8[0]: load_bytearray8,
        pickle.REDUCE[0]: load_reduce,
        pickle.BUILD[0]: load_build,
        pickle.SETITEM[0]: load_setitem,
        pickle.SETITEMS[0]: load_setitems,
        pickle.DICT[0]: load_dict,
        pickle.APPEND[0]: load_append,
        pickle.APPENDS[0]: load_appends,
    }


def _require_key(key: Any) -> None:
    """Only names: hashing a tuple of a million levels ends the process, and numbers can collide."""
    if not isinstance(key, str | bytes):
        raise pickle.UnpicklingError(f"a key of a dictionary is a {type(key).__name__}")


def _require_dtype(dtype: Any, has_objects: bool) -> None:
    if not isinstance(dtype, np.dtype) or dtype.hasobject != has_objects:
        raise pickle.UnpicklingError("an array has no plain element type")


def _count(shape: Any) -> int:
    """The number of elements of a shape as numpy writes it."""
    plain = isinstance(shape, tuple) and len(shape) <= 32 and all(type(size) is int for size in shape)
    if not plain or any(size < 0 for size in shape):
        raise pickle.UnpicklingError("an array's shape is no tuple of sizes")
    return math.prod(shape)


def _check_dtype_state(dtype: np.dtype[Any], state: Any) -> None:
    """The byte order of an element type; all else in it follows from its name."""
    plain = (
        isinstance(state, tuple) and len(state) == 8 and state[0] == 3 and state[2:5] == (None, None, None)
    )
    if not plain or state[1] not in ("<", "|", "=") or state[5] not in (-1, dtype.itemsize):
        raise pickle.UnpicklingError("an element type is structured or of foreign byte order")


def _check_array_state(array: np.ndarray, state: Any) -> Any:
    """Check that a begun array may be given this shape, type and content; returns the content."""
    if not isinstance(state, tuple) or len(state) != 5 or state[0] != 1 or array.shape != (0,):
        raise pickle.UnpicklingError("an array is filled twice or with something that numpy does not write")
    _, shape, dtype, fortran, content = state
    if not isinstance(fortran, bool | int):
        raise pickle.UnpicklingError("the order of an array is no flag")
    if isinstance(dtype, np.dtype) and dtype.hasobject:
        _check_objects(content, shape)
    else:
        _array(content, dtype, shape, "C")
    return content


def _check_objects(content: Any, shape: Any) -> None:
    if not isinstance(content, list) or len(content) != _count(shape):
        raise pickle.UnpicklingError("an array's objects do not fit its shape")
    # numpy releases arrays in arrays by recursion: a million levels end the process
    if any(isinstance(one, np.ndarray) and one.dtype.hasobject for one in content):
        raise pickle.UnpicklingError("it nests arrays of objects")
