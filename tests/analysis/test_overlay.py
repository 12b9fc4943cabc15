"""Overlays of tracks: where things are drawn, and what the file holds."""

import resource
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from cotracker_pipeline.analysis.overlay import MOST_DRAWN, SMALLEST_SIDE, TRAIL, draw_overlay
from cotracker_pipeline.analysis.video_files import write_video
from cotracker_pipeline.errors import UserError

FRAMES, HEIGHT, WIDTH = 14, 60, 120
SCALE = SMALLEST_SIDE // WIDTH
RED = pytest.approx((255, 0, 0), abs=12)


def drawn(tracks: np.ndarray, visible: bool | np.ndarray = True, asked: int = -1) -> np.ndarray:
    """All frames of a black video over which ``tracks`` (N, T, 2) are drawn, asked for in frame ``asked``."""
    video = np.zeros((FRAMES, HEIGHT, WIDTH, 3), np.uint8)
    queries = np.concatenate([np.full((len(tracks), 1), asked), tracks[:, asked]], axis=-1)
    flags = np.broadcast_to(visible, tracks.shape[:2])
    return np.stack(list(draw_overlay(video, tracks.astype(np.float32), flags, queries)))


def moving() -> np.ndarray:
    """One point that goes from (20.5, 0.5) five pixels to the right a frame."""
    return np.stack([20.5 + 5 * np.arange(FRAMES), np.full(FRAMES, 0.5)], axis=-1)[None]


def at(x: float, y: float) -> tuple[int, int]:
    """Row and column of the enlarged frame at raster position (x, y)."""
    return int(SCALE * y), int(SCALE * x)


def test_a_dot_is_where_the_point_is_and_its_trail_where_it_was() -> None:
    frames = drawn(moving())
    assert frames.shape == (FRAMES, SCALE * HEIGHT, SCALE * WIDTH, 3)
    for time in range(FRAMES):
        assert frames[time][at(20.5 + 5 * time, 0.5)].tolist() == RED
        lit = np.flatnonzero(frames[time].any(axis=(0, 2))) / SCALE
        assert lit[0] == pytest.approx(20.5 + 5 * max(0, time - TRAIL), abs=1.5)
        assert lit[-1] == pytest.approx(20.5 + 5 * time, abs=1.5)


def test_a_hidden_point_is_a_ring_without_a_trail() -> None:
    still = np.full((1, FRAMES, 2), 30.5)
    row, column = at(30.5, 30.5)
    assert not drawn(still, visible=False)[-1][row, column].any()
    assert drawn(still)[-1][row, column].any()
    lit = drawn(moving(), visible=np.arange(FRAMES) < FRAMES - 1)[-1].any(axis=(0, 2))
    assert np.flatnonzero(lit)[0] / SCALE > 20.5 + 5 * (FRAMES - 1) - 2


def test_where_there_is_no_position_nothing_is_drawn() -> None:
    tracks = moving()
    tracks[:, :8] = np.nan
    frames = drawn(tracks)
    assert not frames[:8].any()
    assert frames[8].any()
    lit = np.flatnonzero(frames[-1].any(axis=(0, 2))) / SCALE
    assert lit[0] == pytest.approx(60.5, abs=1.5)


def test_a_trail_leaves_out_where_the_point_was_hidden() -> None:
    tracks = moving()
    tracks[0, 5] = 100, 50
    visible = np.arange(FRAMES) != 5
    lit = np.flatnonzero(drawn(tracks, visible)[6].any(axis=(1, 2))) / SCALE
    assert lit[-1] < 3


def test_colours_tell_at_which_height_a_point_was_asked_for() -> None:
    tracks = np.full((3, FRAMES, 2), 60.5)
    tracks[..., 1] = np.array([0.5, 30, 59.5])[:, None]
    # they begin where others were asked for
    tracks[:, :5, 1] = 30
    top, middle, bottom = (drawn(tracks[[track]])[-1][at(60.5, y)] for track, y in enumerate((0.5, 30, 59.5)))
    assert top.tolist() == RED
    assert middle.argmax() == 1
    assert bottom.argmax() == 2
    assert drawn(tracks[[0]])[0][at(60.5, 30)].tolist() == RED


def test_of_very_many_tracks_some_are_drawn() -> None:
    few = np.random.default_rng(1).uniform(0, (WIDTH, HEIGHT), (MOST_DRAWN, 1, 2)).repeat(FRAMES, axis=1)
    many = np.concatenate([few, few[:, :, ::-1] / 2, few + 0.25])
    assert 0.3 < drawn(many)[0].any(axis=-1).sum() / drawn(few)[0].any(axis=-1).sum() < 1.1


def read(path: Path) -> np.ndarray:
    capture = cv2.VideoCapture(str(path))
    frames = []
    while (frame := capture.read())[0]:
        frames.append(frame[1][..., ::-1])
    return np.stack(frames)


@pytest.mark.parametrize("size", [(48, 64), (47, 65), (9, 13)])
def test_a_video_file_holds_the_frames(size: tuple[int, int], tmp_path: Path) -> None:
    frames = np.zeros((5, *size, 3), np.uint8)
    for time, frame in enumerate(frames):
        frame[:] = (200 - 30 * time, 20 * time, 90)
    write_video(tmp_path / "new/a.mp4", frames, 12.5)
    again = read(tmp_path / "new/a.mp4")
    even = tuple(side + side % 2 for side in size)
    assert again.shape == (5, *even, 3)
    assert np.abs(again[:, : size[0], : size[1]].astype(int) - frames).max() < 12
    assert cv2.VideoCapture(str(tmp_path / "new/a.mp4")).get(cv2.CAP_PROP_FPS) == pytest.approx(12.5)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.mp4"]


def test_an_interrupted_video_leaves_no_file(tmp_path: Path) -> None:
    def frames() -> Iterator[np.ndarray]:
        yield np.zeros((32, 32, 3), np.uint8)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_video(tmp_path / "a.mp4", frames(), 10)
    assert not list(tmp_path.iterdir())


def test_a_disk_that_is_full_is_told(tmp_path: Path) -> None:
    """A limit on the size of files fails as a full disk does: OpenCV says nothing."""
    frames = np.random.default_rng(0).integers(0, 256, (10, 128, 128, 3), np.uint8)
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    try:
        with pytest.raises(UserError, match=r"a\.mp4: the video could not be written"):
            write_video(tmp_path / "a.mp4", frames, 10)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert not list(tmp_path.iterdir())
