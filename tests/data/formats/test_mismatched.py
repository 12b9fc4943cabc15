"""Files that are whole but do not fit together: one sentence with file, key and mend, and no shard."""

import contextlib
import pickle
import shutil
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from miniatures import INPUTS, read_all

from cotracker_pipeline.data.conversion import convert_shard
from cotracker_pipeline.data.formats.images import MAX_PIXELS, decode_frame
from cotracker_pipeline.data.store import ShardReader
from cotracker_pipeline.errors import UserError

Change = Callable[[dict], None]


def refused(name: str, source: Path, output: Path, sentence: str) -> None:
    """Converting ends with the sentence and leaves nothing, neither at the output nor beside it."""
    with pytest.raises(UserError, match=sentence) as caught:
        convert_shard(output, name, source)
    assert "\n" not in str(caught.value)
    assert list(output.parent.glob("*.h5*")) == list(output.parent.glob(".*")) == []


@pytest.fixture
def kubric(tmp_path: Path) -> Path:
    return shutil.copytree(INPUTS["kubric"], tmp_path / "kubric", ignore=shutil.ignore_patterns("0001"))


@pytest.fixture
def point_odyssey(tmp_path: Path) -> Path:
    return shutil.copytree(INPUTS["point-odyssey"], tmp_path / "odyssey")


def visible_point(values: dict) -> tuple[int, int]:
    """Track and frame of a point that is seen."""
    track, frame = np.argwhere(~values["visibility"])[7]
    return int(track), int(frame)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_visible_position_is_finite(bad: float, kubric: Path, tmp_path: Path) -> None:
    path = kubric / "0000/0000.npy"
    values = np.load(path, allow_pickle=True).item()
    values["coords"][visible_point(values)] = bad
    np.save(path, values, allow_pickle=True)
    refused("kubric", kubric, tmp_path / "a.h5", r"0000\.npy: 1 visible positions are NaN or infinite; hide")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_hidden_position_need_not_be_finite(bad: float, kubric: Path) -> None:
    path = kubric / "0000/0000.npy"
    values = np.load(path, allow_pickle=True).item()
    track, frame = visible_point(values)
    values["coords"][track, frame] = bad
    values["visibility"][track, frame] = True
    np.save(path, values, allow_pickle=True)
    sequence = read_all("kubric", kubric)["0000"]
    assert np.isfinite(sequence.tracks).all()
    assert sequence.valid is not None
    assert np.argwhere(~sequence.valid).tolist() == [[track, frame]]
    assert not sequence.visible[track, frame]


def test_positions_too_large_for_the_store_are_refused(tmp_path: Path) -> None:
    videos = pickle.loads((INPUTS["tapvid-davis"] / "tapvid_davis.pkl").read_bytes())
    videos["vid0"]["points"] = videos["vid0"]["points"].astype(np.float64) + 1e300
    (tmp_path / "tapvid_davis.pkl").write_bytes(pickle.dumps({"vid0": videos["vid0"]}))
    refused("tapvid-davis", tmp_path, tmp_path / "a.h5", r"tapvid_davis\.pkl: vid0: 486 visible positions")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda values: values.pop("coords"), r"0000\.npy: has no 'coords'; give"),
        (lambda values: values.update(coords=[1, 2]), "'coords' is a list, not an array"),
        (lambda values: values.update(coords=values["coords"][:, :23]), r"expected shape \(any, 24, any\)"),
        (lambda values: values.update(coords=values["coords"][..., :1]), "has 1 numbers a position"),
        (lambda values: values.update(coords=values["coords"].astype(int)), "'coords' is int64"),
        (lambda values: values.update(visibility=values["visibility"][:9]), "'visibility' is bool"),
        (lambda values: values.update(visibility=values["visibility"] * 1.0), "'visibility' is float64"),
        (lambda values: values.update(coords_depth=values["coords"]), "'coords_depth' is float32"),
    ],
)
def test_labels_of_wrong_shape_or_type(change: Change, sentence: str, kubric: Path, tmp_path: Path) -> None:
    path = kubric / "0000/0000.npy"
    values = np.load(path, allow_pickle=True).item()
    change(values)
    np.save(path, values, allow_pickle=True)
    refused("kubric", kubric, tmp_path / "a.h5", sentence)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda video: video.pop("points"), "vid0: has no 'points'"),
        (lambda video: video.update(points=video["points"][:, 1:]), r"'points' is float32 \(24, 23, 2\)"),
        (lambda video: video.update(occluded=video["occluded"].T[:5]), "'occluded' is bool"),
        (lambda video: video.update(video=video["video"][..., :2]), "'video' is uint8"),
        (lambda video: video.update(video=video["video"].astype(np.float32)), "neither uint8 frames nor enc"),
        (lambda video: video.update(video=video["video"][:, :0]), "'video' has no pixel"),
        (lambda video: video.update(video=[b"no image"] * 24), "frame 0: cannot be read as PNG or JPEG"),
        (lambda video: video.update(video=[]), "'video' has no pixel"),
    ],
)
def test_videos_of_wrong_shape_or_type(change: Change, sentence: str, tmp_path: Path) -> None:
    videos = pickle.loads((INPUTS["tapvid-davis"] / "tapvid_davis.pkl").read_bytes())
    change(videos["vid0"])
    (tmp_path / "tapvid_davis.pkl").write_bytes(pickle.dumps({"vid0": videos["vid0"]}))
    refused("tapvid-davis", tmp_path, tmp_path / "a.h5", sentence)


@pytest.mark.parametrize("content", [[], {}, "text", {"a": 1}, [1], {1: {}}, {"a/b": {}}, {"": {}}])
def test_pickles_of_something_else(content: object, tmp_path: Path) -> None:
    (tmp_path / "tapvid_davis.pkl").write_bytes(pickle.dumps(content))
    refused("tapvid-davis", tmp_path, tmp_path / "a.h5", "tapvid_davis|no sequence")


@pytest.mark.parametrize("name", ["a/b", "..", ".", "", "a\0b", "a\nb", "x" * 1000, "\ud800"])
def test_names_lead_nowhere(name: str, tmp_path: Path) -> None:
    videos = pickle.loads((INPUTS["tapvid-davis"] / "tapvid_davis.pkl").read_bytes())
    (tmp_path / "set").mkdir()
    source = tmp_path / "set/tapvid_davis.pkl"
    source.write_bytes(pickle.dumps({name: videos["vid0"]}))
    with contextlib.suppress(UserError):
        convert_shard(tmp_path / "a.h5", "tapvid-davis", source)
    kept = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert kept <= {"set/tapvid_davis.pkl", "a.h5"}


@pytest.mark.parametrize("name", ["kubric", "point-odyssey"])
def test_frames_of_another_size(name: str, kubric: Path, point_odyssey: Path, tmp_path: Path) -> None:
    root = kubric if name == "kubric" else point_odyssey
    frame = sorted(path for path in root.rglob("*") if path.suffix in (".png", ".jpg"))[5]
    cv2.imwrite(str(frame), np.zeros((128, 130, 3), np.uint8))
    refused(name, root, tmp_path / "a.h5", f"{frame.name}: the frame is 130x128, the first is 128x128")


@pytest.mark.parametrize("name", ["kubric", "point-odyssey"])
def test_a_missing_frame(name: str, kubric: Path, point_odyssey: Path, tmp_path: Path) -> None:
    root = kubric if name == "kubric" else point_odyssey
    sorted(path for path in root.rglob("*") if path.suffix in (".png", ".jpg"))[5].unlink()
    refused(name, root, tmp_path / "a.h5", "labels and frames must belong together")


def test_a_frame_that_states_a_huge_size_is_not_made_room_for() -> None:
    header = bytearray(cv2.imencode(".png", np.zeros((1, 1, 3), np.uint8))[1].tobytes())
    header[16:24] = struct.pack(">II", 60_000, 60_000)
    header[29:33] = struct.pack(">I", zlib.crc32(header[12:29]))
    with pytest.raises(UserError, match=f"a.png: states 60000x60000 pixels; .* {MAX_PIXELS}"):
        decode_frame(bytes(header), "a.png")


def test_tables_of_wrong_content(own_frames: Path, tmp_path: Path) -> None:
    table = own_frames / "tracks.csv"
    for content, sentence in {
        "": "cannot be read as a table",
        "track,frame,x\n": "has no column",
        "track,frame,x,y\na,0,nan,1\n": "'x' is no finite number in line 2",
        "track,frame,x,y\na,0,1,1\na,1,inf,1\n": "'x' is no finite number in line 3",
        "track,frame,x,y\na,24,1,1\n": "'frame' must be whole numbers from 0 to 23",
        "track,frame,x,y\na,0.5,1,1\n": "'frame' must be whole numbers from 0 to 23",
        "track,frame,x,y\na,0,1,1\na,0,2,2\n": "a track has two rows of one frame",
        "track,frame,x,y,visible\na,0,1,1,2\n": "'visible' must be 0 or 1",
    }.items():
        table.write_text(content)
        refused("frames", own_frames, tmp_path / "a.h5", rf"tracks\.csv: {sentence}")


def test_a_shard_cut_in_the_middle_is_refused(tmp_path: Path) -> None:
    """At each of many places: an HDF5 file says in its head how long it is."""
    convert_shard(tmp_path / "whole.h5", "tapvid-davis", INPUTS["tapvid-davis"])
    content = (tmp_path / "whole.h5").read_bytes()
    for share in np.linspace(0, 0.9999, 20):
        (tmp_path / "cut.h5").write_bytes(content[: int(len(content) * share)])
        with pytest.raises(UserError, match=r"cut\.h5: .*make the file again"):
            ShardReader(tmp_path / "cut.h5")
