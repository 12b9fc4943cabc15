"""Damaged HDF5 files: whatever reading raises, a sentence comes of it.

Bits are wrong where the format has its marks, not anywhere: at some damage the library in C that reads HDF5
never returns or ends the process, which nothing above it can mend.
"""

import re
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from tiny_inputs import FRAMES, POINTS, TRACKS, VIDEO

from cotracker_pipeline.data.store import Sequence, ShardReader, validate_shard, write_shard
from cotracker_pipeline.errors import UserError

SEEN = np.ones((POINTS, FRAMES), bool)
WHOLE = Sequence(
    "a", VIDEO, TRACKS, SEEN, SEEN, np.zeros((2, 3), np.float32), {"fps": 24.0}, {"depth": TRACKS}
)
MARKS = (b"TREE", b"HEAP", b"SNOD", b"GCOL")


def write(path: Path, codec: str = "raw") -> bytes:
    write_shard(path, [WHOLE], {"source": "test", "licence": "CC0"}, codec)  # type: ignore[arg-type]
    return path.read_bytes()


def sentence_about(path: Path) -> str:
    """Why the file cannot be read; empty where it can."""
    try:
        with ShardReader(path) as reader:
            for index in range(len(reader)):
                reader.sequence(index)
        validate_shard(path)
    except UserError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("codec", ["raw", "jpeg"])
def test_wrong_marks(codec: str, tmp_path: Path) -> None:
    path = tmp_path / "0.h5"
    whole = write(path, codec)
    places = [found.start() for mark in MARKS for found in re.finditer(mark, whole)]
    sentences = []
    for place in places:
        path.write_bytes(whole[:place] + b"?" + whole[place + 1 :])
        sentences.append(sentence_about(path))
    assert len(places) > 10
    for sentence in filter(None, sentences):
        assert re.fullmatch(rf"{path}: [^\n]+(make the file again|convert the data first)", sentence)
    assert sentences.count("") < len(places) / 3


def replaced(name: str, value: object) -> Callable[[h5py.File], None]:
    """Another thing of this name in the sequence."""

    def edit(file: h5py.File) -> None:
        del file["seq/a"][name]
        if isinstance(value, dict):
            file["seq/a"].create_group(name)
        else:
            file["seq/a"][name] = value

    return edit


def with_attribute(name: str, value: object) -> Callable[[h5py.File], None]:
    return lambda file: file["seq/a"].attrs.__setitem__(name, value)


@pytest.mark.parametrize(
    "edit",
    [
        lambda file: file["seq/a"].attrs.__delitem__("H"),
        with_attribute("T", "three"),
        with_attribute("T", h5py.Empty("f4")),
        with_attribute("W", np.arange(3)),
        with_attribute("H", 1 << 44),
        with_attribute("W", 1 << 44),
        replaced("tracks", {}),
        replaced("tracks", np.dtype("f4")),
        replaced("tracks", "text"),
        replaced("visible", np.ones((2, 2), bool)),
        replaced("query", np.float32(1)),
        replaced("query", {}),
        replaced("extra", np.ones(3)),
        replaced("jpeg", np.frombuffer(b"no picture", np.uint8)),
        replaced("jpeg_offset", np.array([9, 6, 3, 0])),
    ],
)
def test_things_of_another_kind(edit: Callable[[h5py.File], None], tmp_path: Path) -> None:
    path = tmp_path / "0.h5"
    write(path, "jpeg")
    with h5py.File(path, "r+") as file:
        edit(file)
    assert re.fullmatch(rf"{path}: [^\n]+; make the file again", sentence_about(path))
