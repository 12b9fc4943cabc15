"""The HDF5 store."""

import multiprocessing
import pickle
import time
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cotracker_pipeline.data.store import Sequence, ShardReader, validate_shard, write_shard
from cotracker_pipeline.errors import UserError

PROVENANCE = {"source": "test", "licence": "CC0", "split": "train", "generator": {"b": 1, "a": [2, 3]}}


def make_sequence(
    name: str = "one", frames: int = 4, height: int = 24, width: int = 32, points: int = 5, full: bool = True
) -> Sequence:
    rng = np.random.default_rng(frames + points)
    gradient = np.linspace(0, 200, width) + np.linspace(0, 40, height)[:, None]
    video = np.broadcast_to(gradient[..., None], (frames, height, width, 3)).astype(np.uint8)
    shape = (points, frames)
    return Sequence(
        name=name,
        video=video,
        tracks=(rng.random((*shape, 2)) * [width, height]).astype(np.float32),
        visible=np.ones(shape, bool),
        valid=np.ones(shape, bool) if full else None,
        query=np.zeros((3, 3), np.float32) if full else None,
        attrs={"seed": 3, "camera": "pan", "fps": 24.0},
        extra={"object_id": np.arange(points, dtype=np.int16)} if full else {},
    )


@pytest.fixture
def shard(tmp_path: Path) -> Path:
    path = tmp_path / "shard.h5"
    write_shard(path, [make_sequence("b"), make_sequence("a", frames=6)], PROVENANCE)
    return path


def edit(path: Path, key: str, value: object) -> None:
    with h5py.File(path, "r+") as file:
        file.attrs[key] = value


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    frames=st.integers(1, 5),
    height=st.integers(1, 20),
    width=st.integers(1, 20),
    points=st.integers(0, 6),
    full=st.booleans(),
)
def test_raw_round_trip(
    tmp_path: Path, frames: int, height: int, width: int, points: int, full: bool
) -> None:
    written = make_sequence("x", frames, height, width, points, full)
    write_shard(tmp_path / "shard.h5", [written], PROVENANCE)
    with ShardReader(tmp_path / "shard.h5") as reader:
        read = reader.sequence(0)
    assert validate_shard(tmp_path / "shard.h5") == []
    for key in ("video", "tracks", "visible"):
        np.testing.assert_array_equal(getattr(read, key), getattr(written, key))
        assert getattr(read, key).dtype == getattr(written, key).dtype
    assert read.valid is not None
    assert read.valid.all()
    assert (read.query is not None) == full
    assert {key: read.attrs[key] for key in written.attrs} == written.attrs
    assert list(read.extra) == list(written.extra)


def test_jpeg_keeps_sizes_and_nearly_the_pixels(tmp_path: Path) -> None:
    written = make_sequence()
    write_shard(tmp_path / "shard.h5", [written], PROVENANCE, codec="jpeg")
    with ShardReader(tmp_path / "shard.h5") as reader:
        frames = reader.frames(0, 1, 3)
    assert validate_shard(tmp_path / "shard.h5") == []
    assert frames.shape == (2, 24, 32, 3)
    assert np.abs(frames.astype(int) - written.video[1:3]).max() <= 4


def test_reader_gives_parts_in_the_order_of_names(shard: Path) -> None:
    with ShardReader(shard) as reader:
        assert len(reader) == 2
        assert reader.names == ["a", "b"]
        assert reader.attributes(0)["T"] == 6
        assert reader.frames(0, 2, 5).shape == (3, 24, 32, 3)
        assert reader.frames(0, 2, 2).shape == (0, 24, 32, 3)
        assert reader.provenance["split"] == "train"
        assert reader.provenance["generator"] == '{"a": [2, 3], "b": 1}'
        with pytest.raises(IndexError, match="frames 0 to 7 of a video of 6"):
            reader.frames(0, 0, 7)


def test_valid_defaults_to_everywhere(tmp_path: Path) -> None:
    write_shard(tmp_path / "shard.h5", [make_sequence(full=False)], PROVENANCE)
    with ShardReader(tmp_path / "shard.h5") as reader:
        assert reader.labels(0)[2].all()
        assert reader.query(0) is None


def test_reader_survives_pickling_while_open(shard: Path) -> None:
    with ShardReader(shard) as reader:
        expected = reader.frames(0)
        with pickle.loads(pickle.dumps(reader)) as copy:
            np.testing.assert_array_equal(copy.frames(0), expected)


def _mean_of_first_frame(reader: ShardReader) -> float:
    return float(reader.frames(0, 0, 1).mean())


def test_reader_works_in_forked_processes(shard: Path) -> None:
    with ShardReader(shard) as reader:
        expected = _mean_of_first_frame(reader)
        with multiprocessing.get_context("fork").Pool(1) as pool:
            assert pool.apply(_mean_of_first_frame, (reader,)) == expected


@pytest.mark.parametrize("codec", ["raw", "jpeg"])
def test_same_input_same_bytes(tmp_path: Path, codec: str) -> None:
    write_shard(tmp_path / "1.h5", [make_sequence()], PROVENANCE, codec)  # type: ignore[arg-type]
    time.sleep(1.1)  # HDF5 counts time in seconds
    write_shard(tmp_path / "2.h5", [make_sequence()], PROVENANCE, codec)  # type: ignore[arg-type]
    assert (tmp_path / "1.h5").read_bytes() == (tmp_path / "2.h5").read_bytes()


def test_interrupted_write_leaves_nothing(tmp_path: Path) -> None:
    def interrupted() -> Iterator[Sequence]:
        yield make_sequence()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_shard(tmp_path / "shard.h5", interrupted(), PROVENANCE)
    assert list(tmp_path.iterdir()) == []


def test_writer_refuses_missing_provenance_and_twins(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="provenance lacks licence"):
        write_shard(tmp_path / "shard.h5", [], {"source": "test"})
    with pytest.raises(UserError, match="'one' occurs twice"):
        write_shard(tmp_path / "shard.h5", [make_sequence(), make_sequence()], PROVENANCE)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "a/b"}, "without '/'"),
        ({"video": np.zeros((4, 24, 32), np.uint8)}, "video is uint8"),
        ({"tracks": np.zeros((5, 4, 2))}, "tracks is float64"),
        ({"tracks": np.zeros((5, 3, 2), np.float32)}, "tracks is float32"),
        ({"visible": np.zeros((5, 4), np.uint8)}, "visible is uint8"),
        ({"valid": np.zeros((5, 3), bool)}, "valid is bool"),
        ({"query": np.zeros((2, 2), np.float32)}, "query is float32"),
    ],
)
def test_sequence_refuses_wrong_arrays(change: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        Sequence(**{**vars(make_sequence()), **change})


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.h5: no such file"):
        ShardReader(tmp_path / "none.h5")


@pytest.mark.parametrize("part", [0.0, 0.01, 0.5, 0.99])
def test_truncated_file(shard: Path, part: float) -> None:
    content = shard.read_bytes()
    shard.write_bytes(content[: int(part * len(content))])
    with pytest.raises(UserError, match="truncated"):
        ShardReader(shard)


def test_not_hdf5(tmp_path: Path) -> None:
    path = tmp_path / "shard.h5"
    path.write_text("hello")
    with pytest.raises(UserError, match="cannot be read as HDF5"):
        validate_shard(path)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("format", "other", "not a ptdata file"),
        ("version", 2, "ptdata version 2"),
        ("coords", "normalised", "attribute 'coords'"),
    ],
)
def test_other_formats(shard: Path, key: str, value: object, message: str) -> None:
    edit(shard, key, value)
    with pytest.raises(UserError, match=message):
        ShardReader(shard)


def test_wrong_shape_is_refused_and_listed(shard: Path) -> None:
    with h5py.File(shard, "r+") as file:
        del file["seq/a/visible"]
        file["seq/a/visible"] = np.ones((5, 5), bool)
    with pytest.raises(UserError, match=r"/seq/a: visible is bool \(5, 5\), expected bool \(5, 6\)"):
        ShardReader(shard)
    assert validate_shard(shard) == ["a: visible is bool (5, 5), expected bool (5, 6)"]


def test_damaged_jpeg(tmp_path: Path) -> None:
    path = tmp_path / "shard.h5"
    write_shard(path, [make_sequence()], PROVENANCE, codec="jpeg")
    with h5py.File(path, "r+") as file:
        file["seq/one/jpeg"][:10] = 0
    with ShardReader(path) as reader, pytest.raises(UserError, match="a frame is damaged"):
        reader.frames(0)


def test_validation_reads_the_content(shard: Path) -> None:
    with h5py.File(shard, "r+") as file:
        tracks, visible = file["seq/a/tracks"], file["seq/a/visible"]
        tracks[0, 0] = [1e4, 0]
        tracks[1, 0] = [np.nan, 0]
        visible[2] = False
        file["seq/a/valid"][3, 0] = False
    assert validate_shard(shard) == [
        "a: a visible point has no finite position",
        "a: a visible point lies outside the image",
        "a: a visible point is marked as not annotated",
        "a: 1 tracks are never visible",
    ]
