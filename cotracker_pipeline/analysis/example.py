"""One video with the tracks that a tracker predicts for it."""

import os
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cotracker_pipeline.data.choice import evenly_apart
from cotracker_pipeline.data.store import ShardReader
from cotracker_pipeline.errors import UserError
from cotracker_pipeline.evaluation.queries import sample_queries_first
from cotracker_pipeline.evaluation.tracker import PointTracker


class Example(NamedTuple):
    """What a page of clips shows.

    Attributes:
        video: (T, H, W, 3) uint8, RGB.
        true_tracks: (N, T, 2) floating, raster pixels.
        true_visible: (N, T) bool.
        predicted_tracks: (N, T, 2) float32, raster pixels; NaN before the track is queried.
        predicted_visible: (N, T) bool.
    """

    video: NDArray[np.uint8]
    true_tracks: NDArray[np.floating]
    true_visible: NDArray[np.bool_]
    predicted_tracks: NDArray[np.float32]
    predicted_visible: NDArray[np.bool_]


def video_names(shard: str | os.PathLike[str]) -> list[str]:
    """Of a shard that has some. Raises ``UserError``."""
    with ShardReader(shard) as reader:
        if not reader.names:
            raise UserError(f"{shard}: holds no video; give a shard with at least one")
        return list(reader.names)


def track_example(
    tracker: PointTracker, shard: str | os.PathLike[str], most_tracks: int, index: int = 0
) -> Example:
    """Track a video of ``shard``; each track is queried in its first visible frame.

    Of the tracks, at most ``most_tracks`` are taken, spread evenly over the order of the file.
    Raises ``UserError`` when the shard cannot be read or has no visible track.
    """
    with ShardReader(shard) as reader:
        video, name = reader.frames(index), reader.names[index]
        tracks, visible, valid = reader.labels(index)
    visible = visible & valid
    if not visible.any():
        raise UserError(f"{shard}: no track of {name} is ever visible; give another shard")
    sample = sample_queries_first(~visible, tracks, video)
    queries, occluded, truth = (
        sample[key][0][evenly_apart(sample["query_points"].shape[1], most_tracks)]
        for key in ("query_points", "occluded", "target_points")
    )
    predicted, predicted_visible = tracker(video, queries[:, [0, 2, 1]])
    return Example(video, truth, ~occluded, _from_query_on(predicted, queries[:, 0]), predicted_visible)


def _from_query_on(tracks: NDArray[np.float32], query_frames: NDArray[np.floating]) -> NDArray[np.float32]:
    """NaN in the frames before the query: there a prediction means nothing in the mode "first"."""
    before = np.arange(tracks.shape[1]) < query_frames[:, None]
    return np.where(before[..., None], np.float32(np.nan), tracks)
