"""Pickles that try to run, import, write or fill something; each by what it tries.

Those that run a command make the file named ``CANARY`` in the current folder.
"""

import functools
import importlib
import operator
import os
import pickle
import struct
import subprocess
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.ctypeslib
import numpy.testing
import torch

CANARY = "canary"
COMMAND = f"touch {CANARY}"
SOURCE = f"open({CANARY!r}, 'w').close()"
PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


class Calls:
    """Unpickled, it is what the function makes of the arguments."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.function = function
        self.arguments = arguments

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self.function, self.arguments


class Becomes:
    """Unpickled, it is an object whose state is set to ``state``."""

    def __init__(self, function: Callable[..., Any], arguments: tuple[Any, ...], state: Any) -> None:
        self.parts = function, arguments, state

    def __reduce__(self) -> tuple[Any, ...]:
        return self.parts


CALLS = {
    "os.system": Calls(os.system, COMMAND),
    "os.popen": Calls(os.popen, COMMAND),
    "subprocess.Popen": Calls(subprocess.Popen, ["touch", CANARY]),
    "subprocess.check_output": Calls(subprocess.check_output, ["touch", CANARY]),
    "eval": Calls(eval, SOURCE),
    "exec": Calls(exec, SOURCE),
    "compile": Calls(compile, SOURCE, "x", "exec"),
    "open": Calls(open, CANARY, "w"),
    "import": Calls(__import__, "antigravity"),
    "importlib": Calls(importlib.import_module, "antigravity"),
    "getattr": Calls(getattr, np.ndarray, "tofile"),
    "getattr chain": Calls(getattr, Calls(getattr, np.ndarray, "tofile"), "__objclass__"),
    "setattr": Calls(setattr, np.ndarray, "x", 1),
    "partial": Calls(functools.partial(os.system, COMMAND)),
    "attrgetter": Calls(operator.attrgetter("system")),
    "methodcaller": Calls(operator.methodcaller("tofile", CANARY), np.zeros(1)),
    "map": Calls(map, os.system, [COMMAND]),
    "max with key": Calls(functools.partial(max, key=os.system), [COMMAND]),
    "pathlib": Calls(Path.touch, Path(CANARY)),
    "pickle.loads": Calls(pickle.loads, pickle.dumps(Calls(os.system, COMMAND))),
    "numpy.load": Calls(np.load, CANARY, None, True),
    "numpy.save": Calls(np.save, CANARY, np.zeros(1)),
    "numpy.memmap": Calls(np.memmap, CANARY, "u1", "w+", 0, (1,)),
    "numpy.fromfile": Calls(np.fromfile, "/dev/zero", "u1", 1 << 40),
    "numpy.fromstring": Calls(np.fromstring, "1 2", float, -1, " "),
    "numpy.testing runstring": Calls(numpy.testing.runstring, SOURCE, {}),
    "numpy.testing rundocs": Calls(numpy.testing.rundocs, CANARY),
    "numpy.ctypeslib": Calls(numpy.ctypeslib.load_library, "libc", "/lib"),
    "numpy.vectorize": Calls(np.vectorize, os.system),
    "numpy.apply_along_axis": Calls(np.apply_along_axis, os.system, 0, np.array([COMMAND])),
    "numpy.frompyfunc": Calls(np.frompyfunc, os.system, 1, 1),
    "numpy.zeros of a terabyte": Calls(np.zeros, 1 << 37),
    "numpy.ndarray of a terabyte": Calls(np.ndarray, (1 << 37,)),
    "numpy.ndarray": Calls(np.ndarray, (1,)),
    "bytes of a terabyte": Calls(bytes, 1 << 40),
    "bytearray of a terabyte": Calls(bytearray, 1 << 40),
    "range in a list": Calls(list, range(1 << 40)),
    "torch.load": Calls(torch.load, CANARY),
    "torch.empty": Calls(torch.empty, 1 << 40),
    "type": Calls(type, "x", (), {}),
    "str.format": Calls(str.format, "{0.__class__}", 1),
    "complex": 1j,
    "a set": {1, 2},
    "a slice": slice(1),
    "a class": Path,
    "a function": os.system,
    "a dtype": np.dtype([("a", object)]),
    "a structured array": np.zeros(2, [("a", "f4"), ("b", "O")]),
    "times": np.zeros(2, "M8[s]"),
    "a foreign byte order": np.zeros(2, ">f4"),
    "an array of texts": np.char.chararray((1,)),
    "a masked array": np.ma.masked_array([1, 2]),
    "a record array": np.rec.array([(1, 2.0)]),
    "a random generator": np.random.default_rng(0),
    "a tensor": torch.zeros(2),
    "a polynomial": np.polynomial.Polynomial([1, 2]),
    "a frozen set": frozenset([1]),
    "an exception": ValueError("x"),
    "objects in an array": np.array([Calls(os.system, COMMAND)], dtype=object),
    "nested arrays of objects": np.array([None, np.array([None], dtype=object)], dtype=object),
    "a number as key": {1: 2},
    "a tuple as key": {("a", "b"): 1},
    "state of an ordered mapping": Becomes(OrderedDict, (), {"x": 1}),
}


def call(module: bytes, name: bytes, arguments: bytes = b"(t") -> bytes:
    """Opcodes that call a name with arguments that stand on the stack as a tuple."""
    return b"c" + module + b"\n" + name + b"\n" + arguments + b"R"


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def array_state(shape: bytes, dtype: bytes, content: bytes) -> bytes:
    """Opcodes for an array that is begun as numpy does and filled with a state that it does not write."""
    begun = call(b"numpy.core.multiarray", b"_reconstruct", b"(cnumpy\nndarray\n(K\x00tC\x01bt")
    return begun + b"(K\x01" + shape + dtype + b"\x89" + content + b"tb"


UNKNOWN = b"J\xff\xff\xff\xff"
FLOATS = call(b"numpy", b"dtype", b"(" + text("f8") + b"\x89\x88t")
OBJECTS = call(b"numpy", b"dtype", b"(" + text("O8") + b"\x89\x88t")
ENCODE = b"c_codecs\nencode\n"

PROGRAMS = {
    "extension registry 1": b"\x82\x01",
    "extension registry 2": b"\x83\x01\x00",
    "extension registry 4": b"\x84\x01\x00\x00\x00",
    "persistent id": b"Pos.system\n",
    "persistent id on the stack": text("x") + b"Q",
    "INST": b"(" + text(COMMAND) + b"ios\nsystem\n",
    "OBJ": b"(cos\nsystem\n" + text(COMMAND) + b"o",
    "NEWOBJ": b"cnumpy\nndarray\n(M\xff\xfft\x81",
    "NEWOBJ_EX": b"cnumpy\nndarray\n(K\x01t}\x92",
    "dotted name": b"\x80\x04" + text("numpy") + text("ndarray.tofile") + b"\x93",
    "name on the stack": b"\x80\x04" + text("os") + text("system") + b"\x93" + b"(" + text(COMMAND) + b"tR",
    "name that is no text": b"\x80\x04K\x01K\x02\x93",
    "attribute of a stand-in": b"c_codecs\nencode.function\n",
    "state of a stand-in": ENCODE + b"}" + text("function") + text("x") + b"sb",
    "slots of a stand-in": ENCODE + b"N}" + text("function") + text("x") + b"s\x86b",
    "call of a text": text("x") + b"(tR",
    "call of a result": ENCODE + b"(" + text("a") + text("latin1") + b"tR(tR",
    "other encoding": ENCODE + b"(" + text("a") + text("rot13") + b"tR",
    "compressed text": ENCODE + b"(C\x04abcd" + text("zlib") + b"tR",
    "bytes of a size": call(b"builtins", b"bytes", b"(I99999999999\nt"),
    "buffers outside of the file": b"\x80\x05\x97",
    "read-only buffers": b"\x80\x05C\x01a\x98",
    "memo of 2^31 entries": b"Nr\xff\xff\xff\x7f",
    "bytes of 2^60": b"\x8e" + struct.pack("<Q", 1 << 60),
    "bytearray of 2^40": b"\x80\x05\x96" + struct.pack("<Q", 1 << 40),
    "text of 2^60": b"\x80\x04\x8d" + struct.pack("<Q", 1 << 60),
    "frame of 2^60": b"\x80\x04\x95" + struct.pack("<Q", 1 << 60),
    "negative size": b"T\xff\xff\xff\xff",
    "protocol 200": b"\x80\xc8N",
    "unknown operation": b"\xff",
    "nothing": b"",
    "number of many digits": b"I" + b"9" * 10_000 + b"\n",
    "array of a petabyte": array_state(b"(\x8a\x07\x00\x00\x00\x00\x00\x00\x04t", FLOATS, b"C\x00"),
    "array of negative size": array_state(b"(J\xff\xff\xff\xfft", FLOATS, b"C\x08abcdefgh"),
    "array of 100 dimensions": array_state(b"(" + b"K\x01" * 100 + b"t", FLOATS, b"C\x08abcdefgh"),
    "array of too few bytes": array_state(b"(K\x02t", FLOATS, b"C\x08abcdefgh"),
    "array of nothing": array_state(
        b"(\x8a\x07\x00\x00\x00\x00\x00\x00\x04t",
        call(b"numpy", b"dtype", b"(" + text("S0") + b"\x89\x88t"),
        b"C\x00",
    ),
    "array of a text": array_state(b"(K\x01t", FLOATS, text("abcdefgh")),
    "array without a type": array_state(b"(K\x01t", b"N", b"C\x08abcdefgh"),
    "objects from bytes": array_state(b"(K\x01t", OBJECTS, b"C\x08abcdefgh"),
    "too few objects": array_state(b"(M\xff\xfft", OBJECTS, b"]"),
    "objects in a buffer": call(
        b"numpy.core.numeric", b"_frombuffer", b"(C\x08abcdefgh" + OBJECTS + b"K\x01\x85" + text("C") + b"t"
    ),
    "object from its address": call(b"numpy.core.multiarray", b"scalar", b"(" + OBJECTS + b"C\x08abcdefght"),
    "begun array of a terabyte": call(
        b"numpy.core.multiarray",
        b"_reconstruct",
        b"(cnumpy\nndarray\n(\x8a\x06\x00\x00\x00\x00\x00\x01tC\x01bt",
    ),
    "array of another class": call(
        b"numpy.core.multiarray", b"_reconstruct", b"(cnumpy\nmatrix\n(K\x00tC\x01bt"
    ),
    "one array filled twice": array_state(b"(K\x01t", FLOATS, b"C\x08abcdefgh")
    + b"(K\x01(K\x01t"
    + FLOATS
    + b"\x89C\x08abcdefghtb",
    "type of fields": FLOATS
    + b"(K\x03"
    + text("<")
    + b"N("
    + text("a")
    + b"t}J\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb",
    "type of another size": FLOATS + b"(K\x03" + text("<") + b"NNNJ\xff\xff\xff\x7fJ\xff\xff\xff\xffK\x00tb",
    "type of a type": call(b"numpy", b"dtype", b"(" + text("numpy.object_") + b"\x89\x88t"),
    "type of a list": call(b"numpy", b"dtype", b"((l\x89\x88t"),
    "list that is a number": b"K\x01K\x02a",
    "dictionary that is a list": b"](K\x01K\x02u",
    "key of a million levels": b"}" + b")" + b"\x85" * 1_000_000 + b"K\x01s",
    "bytes from one text, again and again": b"("
    + text("x" * 100_000)
    + b"q\x00"
    + (ENCODE + b"(h\x00" + text("latin1") + b"tR") * 10_000
    + b"l",
    "mappings from one list, again and again": b"(("
    + (b"(" + text("b") + b"K\x01t") * 5_000
    + b"lq\x00"
    + b"ccollections\nOrderedDict\n(h\x00tR" * 10_000
    + b"l",
}

PICKLES = {
    f"{name}, protocol {protocol}": pickle.dumps({"video": value}, protocol)
    for name, value in CALLS.items()
    for protocol in PROTOCOLS
} | {name: program + b"." for name, program in PROGRAMS.items()}
"""Every attack as the content of a file."""
