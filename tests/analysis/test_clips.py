"""Clips of tracks: where things are drawn, and what the page holds."""

from pathlib import Path

import numpy as np
import pytest

from cotracker_pipeline.analysis.clips import ENLARGEMENT, draw_tracks, write_clip
from cotracker_pipeline.analysis.example import track_example
from cotracker_pipeline.data.store import Sequence, write_shard
from cotracker_pipeline.errors import UserError

FRAMES, SIDE = 3, 32


def drawn(visible: bool = True, predicted: float = 8.5, shown: bool = True) -> np.ndarray:
    """The last frame of a black video with one track at (20.5, 8.5), predicted at (``predicted``, 8.5)."""
    truth = np.full((1, FRAMES, 2), 8.5, np.float32)
    truth[..., 0] = 20.5
    answer = np.full((1, FRAMES, 2), 8.5, np.float32)
    answer[..., 0] = predicted
    flags = np.full((1, FRAMES), True)
    video = np.zeros((FRAMES, SIDE, SIDE, 3), np.uint8)
    return draw_tracks(video, truth, flags & visible, answer, flags & shown)[-1]


def at(x: float, y: float) -> tuple[int, int]:
    """Row and column of the enlarged frame at raster position (x, y)."""
    return int(ENLARGEMENT * y), int(ENLARGEMENT * x)


def test_prediction_and_truth_are_drawn_where_they_are() -> None:
    frame = drawn()
    assert frame.shape == (ENLARGEMENT * SIDE, ENLARGEMENT * SIDE, 3)
    assert frame[at(20.5, 8.5)].min() > 250
    assert np.abs(frame[at(8.5, 8.5)].astype(int) - (0, 114, 178)).max() < 5


def test_occluded_truth_is_not_drawn() -> None:
    assert not drawn(visible=False)[at(20.5, 8.5)].any()


def test_prediction_that_is_occluded_is_a_ring() -> None:
    row, column = at(8.5, 8.5)
    assert not drawn(visible=False, shown=False)[row + 2, column].any()
    assert drawn(visible=False, shown=False)[row, column + 4].any()


@pytest.mark.parametrize("predicted", [np.nan, np.inf])
def test_no_prediction_draws_nothing(predicted: float) -> None:
    assert not drawn(predicted=predicted).any()


def test_a_prediction_far_outside_is_drawn_without_error() -> None:
    assert not drawn(visible=False, predicted=1e30)[at(20.5, 8.5)].any()


def test_page_is_self_contained(tmp_path: Path) -> None:
    path = tmp_path / "clip.html"
    write_clip(np.stack([drawn(), drawn(predicted=9.5)]), path, "a < b")
    text = path.read_text()
    assert "data:image/webp;base64," in text
    assert "a &lt; b" in text
    assert "http" not in text


def test_example_has_no_prediction_before_the_query(tmp_path: Path) -> None:
    shard = shard_with(tmp_path, visible=np.array([[True] * FRAMES, [False, True, True], [False] * FRAMES]))
    example = track_example(standing_still, shard, most_tracks=5)
    assert example.predicted_tracks.shape == (2, FRAMES, 2)
    assert np.isnan(example.predicted_tracks[1, 0]).all()
    assert np.array_equal(example.predicted_tracks[:, 1:], example.true_tracks[:, 1:])


def test_example_takes_as_many_tracks_as_asked(tmp_path: Path) -> None:
    shard = shard_with(tmp_path, visible=np.ones((9, FRAMES), bool))
    assert len(track_example(standing_still, shard, most_tracks=3).true_tracks) == 3


def test_a_shard_without_visible_tracks_is_one_sentence(tmp_path: Path) -> None:
    shard = shard_with(tmp_path, visible=np.zeros((1, FRAMES), bool))
    with pytest.raises(UserError, match="ever visible"):
        track_example(standing_still, shard, most_tracks=3)


def standing_still(video: np.ndarray, queries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    tracks = np.repeat(queries[:, None, 1:], len(video), axis=1).astype(np.float32)
    return tracks, np.ones(tracks.shape[:2], bool)


def shard_with(folder: Path, visible: np.ndarray) -> Path:
    tracks = np.repeat(np.arange(len(visible), dtype=np.float32)[:, None, None], FRAMES, axis=1)
    video = np.zeros((FRAMES, SIDE, SIDE, 3), np.uint8)
    sequence = Sequence("one", video, np.concatenate([tracks, tracks + 1], axis=-1), visible)
    write_shard(folder / "shard.h5", [sequence], {"source": "test", "licence": "none"})
    return folder / "shard.h5"
