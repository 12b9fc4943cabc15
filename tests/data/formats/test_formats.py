"""What the readers give, against the files read without them and against one another."""

import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import simplejpeg
from miniatures import FIXTURES, INPUTS, Sequences, read_all

from cotracker_pipeline.data.conversion import convert_shard
from cotracker_pipeline.data.coordinates import raster_to_index
from cotracker_pipeline.data.formats import FORMATS
from cotracker_pipeline.data.formats.images import frames_per_second, read_frames_or_video
from cotracker_pipeline.data.store import Sequence, ShardReader, validate_shard, write_shard
from cotracker_pipeline.errors import UserError

Read = Callable[[str], Sequences]
Scene = dict[str, np.ndarray]


def trusted(path: str) -> object:
    """A fixture of our own, read by the standard library."""
    return pickle.loads((FIXTURES / path).read_bytes())


def same_labels(sequence: Sequence, scene: Scene, tolerance: float = 0) -> None:
    seen = ~scene["hidden"].all(axis=1)
    np.testing.assert_array_equal(sequence.visible, ~scene["hidden"][seen])
    np.testing.assert_allclose(sequence.tracks, scene["coords"][seen], atol=tolerance)


def test_kubric(read: Read, scene: Scene) -> None:
    sequences = read("kubric")
    assert list(sequences) == ["0000", "0001"]
    np.testing.assert_array_equal(sequences["0000"].video, scene["frames"])
    same_labels(sequences["0000"], scene)
    labels = np.load(FIXTURES / "kubric/0000/0000.npy", allow_pickle=True).item()
    np.testing.assert_array_equal(sequences["0000"].extra["depth"], labels["coords_depth"])


def test_visibility_of_kubric_means_hidden(read: Read) -> None:
    """Points outside of the image are not visible, so the flag that is set there says "hidden"."""
    labels = np.load(FIXTURES / "kubric/0000/0000.npy", allow_pickle=True).item()
    outside = ((labels["coords"] < 0) | (labels["coords"] > 128)).any(-1)
    assert labels["visibility"][outside].all()
    assert not read("kubric")["0000"].visible[outside].any()


@pytest.mark.parametrize("frames", [24, 120])
def test_kubric_of_both_lengths(frames: int, tmp_path: Path, scene: Scene) -> None:
    source = [number % 24 for number in range(frames)]
    folder = tmp_path / "long"
    (folder / "frames").mkdir(parents=True)
    for number, at in enumerate(source):
        shutil.copy(FIXTURES / f"kubric/0000/frames/{at:03d}.png", folder / f"frames/{number:03d}.png")
    third = np.zeros((256, frames, 1), np.float32)
    labels = {
        "coords": np.concatenate([scene["coords"][:, source], third], axis=-1),
        "visibility": scene["hidden"][:, source],
        "camera": {"positions": np.zeros((frames, 3)), "focal_length": 35.0},
    }
    np.save(folder / "long.npy", labels, allow_pickle=True)  # type: ignore[arg-type]
    sequence = read_all("kubric", tmp_path)["long"]
    assert sequence.video.shape == (frames, 128, 128, 3)
    np.testing.assert_array_equal(sequence.tracks, scene["coords"][:, source])
    np.testing.assert_array_equal(sequence.video[-1], scene["frames"][source[-1]])


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("tapvid-davis", "tapvid_davis/tapvid_davis.pkl"),
        ("tapvid-rgb-stacking", "tapvid_rgb_stacking/tapvid_rgb_stacking.pkl"),
        ("robotap", "tapvid_robotap/robotap_split0.pkl"),
    ],
)
def test_tapvid(name: str, path: str, read: Read) -> None:
    stored = trusted(path)
    if isinstance(stored, list):
        stored = {f"{Path(path).stem}-{number:04d}": video for number, video in enumerate(stored)}
    sequences = read(name)
    assert set(stored) <= set(sequences)
    for key, video in stored.items():
        seen = ~video["occluded"].all(axis=1)
        np.testing.assert_array_equal(sequences[key].video, video["video"])
        np.testing.assert_array_equal(sequences[key].visible, ~video["occluded"][seen])
        # 0 is the left or upper edge of the image, 1 the right or lower one
        np.testing.assert_allclose(sequences[key].tracks, video["points"][seen] * 128, rtol=1e-6)


def test_robotap_is_all_of_its_files(read: Read) -> None:
    assert list(read("robotap")) == ["r0", "r1"]


def test_kinetics(read: Read) -> None:
    sequences = read("tapvid-kinetics")
    assert list(sequences) == ["0000_of_0010-0000", "0001_of_0010-0000"]
    (video,) = trusted("tapvid_kinetics/0000_of_0010.pkl")
    sequence = sequences["0000_of_0010-0000"]
    np.testing.assert_array_equal(sequence.video[7], simplejpeg.decode_jpeg(video["video"][7]))
    np.testing.assert_array_equal(sequence.visible, ~video["occluded"])


def test_half_pixel_of_kinetics(tmp_path: Path, read: Read, scene: Scene) -> None:
    """Written as its generator does, ``(x * W - 0.5) / W``, the scene has the tracks of the other formats."""
    (video,) = trusted("tapvid_kinetics/0000_of_0010.pkl")
    video["points"] = (scene["coords"][:24].astype(np.float64) - 0.5) / 128
    (tmp_path / "0000_of_0001.pkl").write_bytes(pickle.dumps([video]))
    sequence = read_all("tapvid-kinetics", tmp_path)["0000_of_0001-0000"]
    np.testing.assert_allclose(sequence.tracks, read("tapvid-davis")["vid0"].tracks, atol=2e-5)


def test_hidden_positions_are_known_only_where_they_were_rendered(read: Read) -> None:
    for name in ("tapvid-davis", "tapvid-kinetics", "robotap"):
        for sequence in read(name).values():
            np.testing.assert_array_equal(sequence.valid, sequence.visible)
    for name in ("tapvid-rgb-stacking", "kubric", "point-odyssey"):
        assert all(sequence.valid.all() for sequence in read(name).values())  # type: ignore[union-attr]


def test_point_odyssey(read: Read, scene: Scene) -> None:
    sequence = read("point-odyssey")["seq0"]
    same_labels(sequence, scene)
    frame = cv2.imread(str(FIXTURES / "point_odyssey/test/seq0/rgbs/rgb_00003.jpg"))[..., ::-1]
    np.testing.assert_array_equal(sequence.video[3], frame)
    # raster pixels: the principal point is the middle of an image that spans 0 to 128
    np.testing.assert_array_equal(sequence.extra["K"][:, :2, 2], 64)


def test_point_odyssey_has_invalid_and_infinite_positions(tmp_path: Path) -> None:
    folder = shutil.copytree(INPUTS["point-odyssey"] / "seq0", tmp_path / "seq0")
    arrays = dict(np.load(folder / "anno.npz"))
    track = int(np.flatnonzero(arrays["visibilities"].all(axis=0))[0])
    arrays["visibilities"][2, track] = 2
    arrays["trajs_2d"][3, track] = np.inf
    arrays["trajs_2d"][4, track] = np.nan
    np.savez(folder / "anno.npz", **arrays)
    sequence = read_all("point-odyssey", tmp_path)["seq0"]
    expected = [True, True, False, False, False, True]
    assert sequence.visible[track, :6].tolist() == expected
    assert sequence.valid is not None
    assert sequence.valid[track, :6].tolist() == expected
    assert np.isfinite(sequence.tracks).all()


def test_dynamic_replica(dynamic_replica: Path, scene: Scene) -> None:
    sequences = read_all("dynamic-replica", dynamic_replica)
    assert list(sequences) == ["scene"]
    np.testing.assert_array_equal(sequences["scene"].video, scene["frames"])
    same_labels(sequences["scene"], scene)


def test_own_frames_with_a_table(own_frames: Path, scene: Scene) -> None:
    sequence = read_all("frames", own_frames)["mine"]
    np.testing.assert_array_equal(sequence.video, scene["frames"])
    same_labels(sequence, scene)


def test_own_pixel_indices(own_frames: Path, scene: Scene) -> None:
    table = own_frames / "tracks.csv"
    table.write_text(table.read_text().replace("x,y", "column,row", 1))
    same_labels(
        read_all("frames", own_frames)["mine"],
        {**scene, "coords": scene["coords"] + 0.5, "hidden": scene["hidden"] | near_the_edge(scene)},
        1e-5,
    )


def near_the_edge(scene: Scene) -> np.ndarray:
    """Positions that half a pixel moves out of the image."""
    return (scene["coords"] > 127.5).any(-1)


@pytest.mark.parametrize("key", ["tracks", "indices"])
def test_own_arrays(key: str, own_frames: Path, scene: Scene) -> None:
    (own_frames / "tracks.csv").unlink()
    positions = scene["coords"] - (0.5 if key == "indices" else 0)
    np.savez(own_frames / "tracks.npz", **{key: positions}, visible=~scene["hidden"])
    same_labels(read_all("frames", own_frames)["mine"], scene, 1e-5)


def test_rows_may_be_missing(own_frames: Path) -> None:
    (own_frames / "tracks.csv").write_text("track,frame,x,y\nnose,3,10.5,20\nnose,5,11,21\near,0,1,2\n")
    sequence = read_all("frames", own_frames)["mine"]
    assert np.argwhere(sequence.visible).tolist() == [[0, 0], [1, 3], [1, 5]]
    np.testing.assert_array_equal(sequence.visible, sequence.valid)
    assert sequence.tracks[1, 3].tolist() == [10.5, 20]


def write_video(path: Path, frames: np.ndarray) -> None:
    """12.5 frames a second."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 12.5, frames.shape[2:0:-1])
    for frame in frames:
        writer.write(np.ascontiguousarray(frame[..., ::-1]))
    writer.release()


def test_own_video(own_frames: Path, scene: Scene) -> None:
    shutil.rmtree(own_frames / "frames")
    write_video(own_frames / "clip.avi", scene["frames"])
    sequence = read_all("frames", own_frames)["mine"]
    assert sequence.video.shape == scene["frames"].shape
    assert np.abs(sequence.video.astype(int) - scene["frames"]).mean() < 8
    same_labels(sequence, scene)


def test_a_folder_of_own_folders(own_frames: Path) -> None:
    shutil.copytree(own_frames, own_frames.parent / "another")
    assert list(read_all("frames", own_frames.parent)) == ["another", "mine"]


@pytest.mark.parametrize("name", sorted(set(INPUTS) - {"point-odyssey"}))
def test_tracks_lie_on_what_they_follow(name: str, read: Read) -> None:
    """Colours along a track change least where the tracks are, not half a pixel beside them.

    The one scene of PointOdyssey is too coarse a JPEG for it; its tracks are compared with those of Kubric.
    """
    shifts = np.arange(-2, 3) / 2
    offset = 0.5 if name == "tapvid-kinetics" else 0.0  # the fixture was written without its half pixel
    changes = {axis: np.zeros(len(shifts)) for axis in (0, 1)}
    for sequence in read(name).values():
        for axis, change in changes.items():
            for number, shift in enumerate(shifts):
                moved = sequence.tracks - np.float32(offset)
                moved[..., axis] += np.float32(shift)
                change[number] += colour_change(sequence, moved)
    assert shifts[changes[0].argmin()] == shifts[changes[1].argmin()] == 0, changes


def colour_change(sequence: Sequence, tracks: np.ndarray) -> float:
    """Mean change of colour from frame to frame along the tracks where they are visible."""
    index = raster_to_index(tracks)
    colours = np.stack(
        [
            cv2.remap(
                sequence.video[t].astype(np.float32),
                index[:, t, None],
                None,
                cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_REPLICATE,
            )[:, 0]
            for t in range(len(sequence.video))
        ],
        axis=1,
    )
    both = sequence.visible[:, 1:] & sequence.visible[:, :-1]
    return float(np.abs(np.diff(colours, axis=1)).mean(-1)[both].mean())


@pytest.mark.parametrize("name", INPUTS)
def test_the_store_finds_no_fault(name: str, read: Read, tmp_path: Path) -> None:
    shard = tmp_path / "shard.h5"
    write_shard(shard, read(name).values(), {"source": name, "licence": FORMATS[name].licence})
    # half a pixel moves points of this fixture out of the image
    beside = "a visible point lies outside the image" if name == "tapvid-kinetics" else None
    assert [problem for problem in validate_shard(shard) if beside is None or beside not in problem] == []


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_an_input_of_another_format_is_named(name: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"{tmp_path}: holds no"):
        FORMATS[name].units(tmp_path)
    with pytest.raises(UserError, match="nothing: no such file or folder; give"):
        FORMATS[name].units(tmp_path / "nothing")


def test_own_video_without_tracks(own_frames: Path, scene: Scene, tmp_path: Path) -> None:
    (own_frames / "tracks.csv").unlink()
    convert_shard(tmp_path / "mine.h5", "frames", own_frames)
    assert validate_shard(tmp_path / "mine.h5") == []
    with ShardReader(tmp_path / "mine.h5") as reader:
        np.testing.assert_array_equal(reader.frames(0), scene["frames"])
        tracks, visible, valid = reader.labels(0)
    assert tracks.shape == (0, len(scene["frames"]), 2)
    assert visible.shape == valid.shape == tracks.shape[:2]


def test_own_folders_with_and_without_tracks(own_frames: Path) -> None:
    shutil.copytree(own_frames, own_frames.parent / "all/labelled")
    shutil.copytree(own_frames, own_frames.parent / "all/bare", ignore=shutil.ignore_patterns("*.csv"))
    sequences = read_all("frames", own_frames.parent / "all")
    assert [len(sequences[name].tracks) > 0 for name in ("bare", "labelled")] == [False, True]


def test_a_folder_of_frames_or_a_video_file(own_frames: Path, scene: Scene, tmp_path: Path) -> None:
    np.testing.assert_array_equal(read_frames_or_video(own_frames / "frames"), scene["frames"])
    assert frames_per_second(own_frames / "frames") is None
    path = tmp_path / "clip.avi"
    write_video(path, scene["frames"])
    assert np.abs(read_frames_or_video(path).astype(int) - scene["frames"]).mean() < 8
    assert frames_per_second(path) == 12.5
    with pytest.raises(UserError, match="nothing: no such file or folder"):
        read_frames_or_video(tmp_path / "nothing")
