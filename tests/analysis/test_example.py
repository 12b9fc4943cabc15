"""Examples of tracks that clips show."""

from pathlib import Path

import numpy as np
import pytest

from cotracker_pipeline.analysis.example import track_example, video_names
from cotracker_pipeline.data.store import Sequence, write_shard
from cotracker_pipeline.errors import UserError

FRAMES, SIDE = 3, 32


def test_example_has_no_prediction_before_the_query(tmp_path: Path) -> None:
    shard = shard_with(tmp_path, np.array([[True] * FRAMES, [False, True, True], [False] * FRAMES]))
    example = track_example(standing_still, shard, most_tracks=5)
    assert example.predicted_tracks.shape == (2, FRAMES, 2)
    assert np.isnan(example.predicted_tracks[1, 0]).all()
    assert np.array_equal(example.predicted_tracks[:, 1:], example.true_tracks[:, 1:])


def test_example_takes_as_many_tracks_as_asked(tmp_path: Path) -> None:
    shard = shard_with(tmp_path, np.ones((9, FRAMES), bool))
    assert len(track_example(standing_still, shard, most_tracks=3).true_tracks) == 3


def test_any_video_of_a_shard_may_be_tracked(tmp_path: Path) -> None:
    shard = shard_with(tmp_path, np.ones((1, FRAMES), bool), np.ones((4, FRAMES), bool))
    assert video_names(shard) == ["video 0", "video 1"]
    counts = [len(track_example(standing_still, shard, 5, index).true_tracks) for index in (0, 1)]
    assert counts == [1, 4]


def test_a_shard_without_videos_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no video"):
        video_names(shard_with(tmp_path))


def test_a_shard_without_visible_tracks_is_one_sentence(tmp_path: Path) -> None:
    shard = shard_with(tmp_path, np.zeros((1, FRAMES), bool))
    with pytest.raises(UserError, match="ever visible"):
        track_example(standing_still, shard, most_tracks=3)


def standing_still(video: np.ndarray, queries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    tracks = np.repeat(queries[:, None, 1:], len(video), axis=1).astype(np.float32)
    return tracks, np.ones(tracks.shape[:2], bool)


def shard_with(folder: Path, *visible: np.ndarray) -> Path:
    """A video for each ``visible`` (N, T)."""
    video = np.zeros((FRAMES, SIDE, SIDE, 3), np.uint8)
    sequences = []
    for number, flags in enumerate(visible):
        tracks = np.repeat(np.arange(len(flags), dtype=np.float32)[:, None, None], FRAMES, axis=1)
        places = np.concatenate([tracks, tracks + 1], axis=-1)
        sequences.append(Sequence(f"video {number}", video, places, flags))
    write_shard(folder / "shard.h5", sequences, {"source": "test", "licence": "none"})
    return folder / "shard.h5"
