"""Running a tracker over videos, a row each: metrics where the tracks are known, else the cycle error."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cotracker_pipeline.data.coordinates import RASTER
from cotracker_pipeline.data.store import ShardReader
from cotracker_pipeline.errors import UserError
from cotracker_pipeline.evaluation.cycle import cycle_metrics
from cotracker_pipeline.evaluation.metrics import (
    METRIC_NAMES,
    check_query_mode,
    evaluated_frames,
    tapvid_metrics,
)
from cotracker_pipeline.evaluation.queries import QuerySample, sample_queries_first, sample_queries_strided
from cotracker_pipeline.evaluation.tracker import PointTracker

METRIC_SIZE = RASTER.side
"""Side in pixels of the square raster in which TAP-Vid measures distances."""

COUNT_NAMES = ("queries", "evaluated_points", "visible_points")

_NO_METRICS: Mapping[str, float] = dict.fromkeys(METRIC_NAMES, float("nan")) | dict.fromkeys(COUNT_NAMES, 0.0)
_NO_CYCLE: Mapping[str, float] = {"cycle_error": float("nan"), "cycle_points": 0.0}

Progress = Callable[[int, int], None]
"""Called after each video with the number of videos done and the number of all."""

Measure = Callable[
    [NDArray[np.uint8], NDArray[np.float32], NDArray[np.bool_], NDArray[np.bool_]], dict[str, float]
]
"""Of a video (T, H, W, 3), its tracks (N, T, 2), visible (N, T) and valid (N, T), some numbers by name."""


def evaluate_sequence(
    tracker: PointTracker,
    video: NDArray[np.uint8],
    tracks: NDArray[np.float32],
    visible: NDArray[np.bool_],
    valid: NDArray[np.bool_],
    query_mode: str,
    metric_size: int = METRIC_SIZE,
) -> dict[str, float]:
    """Query ``tracker`` as TAP-Vid does and compare its answer with the truth.

    A video without tracks has no truth: there the cycle error is all that is known.

    Args:
        tracker: called once, with all queries of the video; twice for a video without tracks.
        video: (T, H, W, 3) uint8, RGB.
        tracks: (N, T, 2) floating, (x, y) in raster pixels of ``video``.
        visible: (N, T) bool.
        valid: (N, T) bool; a position that is not annotated counts as hidden.
        query_mode: "first" or "strided" (every fifth frame).
        metric_size: side of the square raster to which truth and prediction are scaled for comparison.

    Returns:
        ``METRIC_NAMES`` in 0..1, NaN where undefined (all of them for a video without queries), and counts:
        ``queries``, ``evaluated_points`` (pairs of query and frame) and ``visible_points`` (those
        of them whose truth is visible). ``cycle_error`` and ``cycle_points`` as ``cycle_metrics`` of a
        video without tracks, NaN and 0 of any other.

    Raises:
        ValueError: arrays or query mode are not as described, or the tracker's answer has a wrong shape.
    """
    if not len(tracks):
        return {**_NO_METRICS, **cycle_metrics(tracker, video, query_mode)}
    sample = _queries(video, tracks, visible & valid, query_mode)
    if sample is None:
        return {**_NO_METRICS, **_NO_CYCLE}
    query_points, occluded = sample["query_points"], sample["occluded"]
    predicted_tracks, predicted_visible = tracker(video, query_points[0][:, [0, 2, 1]])
    height, width = video.shape[1:3]
    scale = metric_size / np.array([width, height])
    metrics = tapvid_metrics(
        query_points,
        occluded,
        sample["target_points"] * scale,
        ~predicted_visible[None],
        predicted_tracks[None] * scale,
        query_mode,
    )
    evaluated = evaluated_frames(query_points[..., 0], len(video), query_mode)
    counts = (query_points.shape[1], evaluated.sum(), (evaluated & ~occluded).sum())
    return {
        **{name: float(value[0]) for name, value in metrics.items()},
        **{name: float(count) for name, count in zip(COUNT_NAMES, counts, strict=True)},
        **_NO_CYCLE,
    }


def evaluate_shards(
    trackers: Mapping[str, PointTracker],
    shard_paths: Iterable[str | os.PathLike[str]],
    progress: Progress | None = None,
    max_tracks: int | None = None,
    metric_size: int = METRIC_SIZE,
) -> pd.DataFrame:
    """Evaluate every video of the shards, holding one at a time in memory.

    Args:
        trackers: query mode ("first", "strided") to the tracker that is evaluated in it.
        shard_paths: HDF5 shards (``cotracker_pipeline.data.store``).
        progress: told after each video.
        max_tracks: use at most so many tracks of a video, the first ones (``None``: all); "strided" queries a
            track every fifth frame, so its memory grows with tracks times frames squared.
        metric_size: as in ``evaluate_sequence``.

    Returns:
        One row a video and query mode, in the order of shards, sequences and ``trackers``: ``video``,
        ``frames``, ``tracks``, ``query_mode``, then the results of ``evaluate_sequence``.

    Raises:
        UserError: a shard cannot be read, two videos have the same name, or there is no video at all.
        ValueError: a query mode or ``max_tracks`` is not as described.
    """
    for query_mode in trackers:
        check_query_mode(query_mode)
    if max_tracks is not None and max_tracks < 1:
        raise ValueError(f"max_tracks is {max_tracks}; it must be at least 1, or None for all tracks")
    rows = measure_shards(tapvid_measures(trackers, metric_size), shard_paths, progress, max_tracks)
    return rows.astype(dict.fromkeys((*COUNT_NAMES, "cycle_points"), np.int64))


def tapvid_measures(trackers: Mapping[str, PointTracker], metric_size: int) -> Mapping[str, Measure]:
    """By query mode, ``evaluate_sequence`` of the tracker that is evaluated in it."""
    return {
        mode: partial(evaluate_sequence, tracker, query_mode=mode, metric_size=metric_size)
        for mode, tracker in trackers.items()
    }


def measure_shards(
    measures: Mapping[str, Measure],
    shard_paths: Iterable[str | os.PathLike[str]],
    progress: Progress | None = None,
    max_tracks: int | None = None,
    max_frames: int | None = None,
) -> pd.DataFrame:
    """Measure every video of the shards, holding one at a time in memory.

    Args:
        measures: by query mode, what is called with each video.
        shard_paths, progress, max_tracks: as in ``evaluate_shards``.
        max_frames: use at most so many frames of a video, the first ones (``None``: all).

    Returns:
        One row a video and query mode: ``video``, ``frames``, ``tracks``, ``query_mode``, then the numbers.

    Raises:
        UserError: as ``evaluate_shards``.
    """
    readers = [ShardReader(path) for path in shard_paths]
    _check_names(readers)
    total = sum(len(reader.names) for reader in readers)
    rows: list[dict[str, Any]] = []
    for done, of_video in enumerate(_rows_by_video(measures, readers, max_tracks, max_frames), start=1):
        rows += of_video
        if progress is not None:
            progress(done, total)
    return pd.DataFrame(rows)


def summarise(frame: pd.DataFrame) -> pd.DataFrame:
    """Average rows of one query mode of ``evaluate_shards`` over videos, each video counting the same.

    Returns one row a metric (index ``metric``): ``mean`` over the videos with a finite value (NaN if none has
    one), ``videos`` (how many have one) and ``dropped`` (how many have not).
    """
    values = frame[list(METRIC_NAMES)]
    finite = values.where(np.isfinite(values))
    summary = pd.DataFrame({"mean": finite.mean(), "videos": finite.count(), "dropped": finite.isna().sum()})
    return summary.rename_axis("metric")


def _queries(
    video: NDArray[np.uint8], tracks: NDArray[np.float32], visible: NDArray[np.bool_], query_mode: str
) -> QuerySample | None:
    """The queries of one video, or ``None`` where nothing is there to be asked for."""
    check_query_mode(query_mode)
    if query_mode == "strided":
        sample = sample_queries_strided(~visible, tracks, video)
        return sample if sample["query_points"].size else None
    return sample_queries_first(~visible, tracks, video) if visible.any() else None


def _rows_by_video(
    measures: Mapping[str, Measure],
    readers: list[ShardReader],
    max_tracks: int | None,
    max_frames: int | None,
) -> Iterator[list[dict[str, Any]]]:
    for reader in readers:
        with reader:
            for index, name in enumerate(reader.names):
                length = int(reader.attributes(index)["T"])
                video = reader.frames(index, 0, min(length, max_frames or length))
                labels = (label[:max_tracks, : len(video)] for label in reader.labels(index))
                tracks, visible, valid = labels
                facts = {"video": name, "frames": len(video), "tracks": len(tracks)}
                yield [
                    facts | {"query_mode": mode} | measure(video, tracks, visible, valid)
                    for mode, measure in measures.items()
                ]


def _check_names(readers: list[ShardReader]) -> None:
    """Raise ``UserError`` unless every video can be told from the others by its name."""
    first_seen: dict[str, str] = {}
    for reader in readers:
        for name in reader.names:
            if name in first_seen:
                raise UserError(
                    f"{reader.path}: sequence {name!r} is also in {first_seen[name]}; "
                    "name each shard once and give every sequence its own name"
                )
            first_seen[name] = reader.path
    if not first_seen:
        raise UserError("there is no video to evaluate; name at least one shard that holds a sequence")
