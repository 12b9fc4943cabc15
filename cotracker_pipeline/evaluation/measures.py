"""What is asked of a tracker in the videos of a set, and by which metrics its answers are measured."""

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
from numpy.typing import NDArray

from cotracker_pipeline.evaluation.benchmark import Measure, tapvid_measures
from cotracker_pipeline.evaluation.known_tracks import dynamic_replica_metrics, point_odyssey_metrics
from cotracker_pipeline.evaluation.tracker import PointTracker

FROM_FIRST_FRAME = "frame-0"
"""What takes the place of a query mode where every track is queried in frame 0."""

REPLICA_TRACKS = 256
"""Tracks of Dynamic Replica, drawn from all those of a video."""

REPLICA_FRAMES = 10
"""In more frames than these a track must be visible."""

Videos = NDArray[np.uint8]
Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]


def measures_of(
    metrics: str, trackers: Mapping[str, PointTracker], metric_size: int
) -> Mapping[str, Measure]:
    """By query mode, what to call with each video.

    Args:
        metrics: of an ``EvaluationSet``.
        trackers: by query mode of TAP-Vid; other metrics take the first of them.
        metric_size: side in pixels of the square in which TAP-Vid measures.
    """
    if metrics in _FROM_FIRST_FRAME:
        tracker = next(iter(trackers.values()))
        return {FROM_FIRST_FRAME: partial(_FROM_FIRST_FRAME[metrics], tracker)}
    return tapvid_measures(trackers, metric_size)


def measure_dynamic_replica(
    tracker: PointTracker, video: Videos, tracks: Floats, visible: Bools, valid: Bools
) -> dict[str, float]:
    """Query ``REPLICA_TRACKS`` random tracks, whether visible or not, that are visible long enough.

    The same are drawn from the same video each time.
    """
    drawn = np.random.default_rng(0).permutation(len(tracks))[:REPLICA_TRACKS]
    tracks, visible = tracks[drawn], (visible & valid)[drawn]
    kept = visible.sum(axis=1) > REPLICA_FRAMES
    return _measured(dynamic_replica_metrics, tracker, video, tracks[kept], visible[kept])


def measure_point_odyssey(
    tracker: PointTracker, video: Videos, tracks: Floats, visible: Bools, valid: Bools
) -> dict[str, float]:
    """Query the tracks that frame 0 shows."""
    kept = (visible & valid)[:, 0]
    return _measured(point_odyssey_metrics, tracker, video, tracks[kept], valid[kept])


def _measured(
    metrics: Callable[[Floats, Bools, Floats, tuple[int, int]], dict[str, float]],
    tracker: PointTracker,
    video: Videos,
    tracks: Floats,
    mask: Bools,
) -> dict[str, float]:
    queries = np.concatenate([np.zeros((len(tracks), 1)), tracks[:, 0]], axis=1)
    # a tracker need not be able to track nothing
    predicted = tracker(video, queries)[0] if len(tracks) else tracks
    height, width = video.shape[1:3]
    return {"queries": float(len(tracks))} | metrics(tracks, mask, predicted, (width, height))


_FROM_FIRST_FRAME = {
    "dynamic-replica": measure_dynamic_replica,
    "point-odyssey": measure_point_odyssey,
}
