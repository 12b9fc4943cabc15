"""The TAP-Vid metrics: occlusion accuracy, points within d pixels, Jaccard.

Definition: Doersch et al., "TAP-Vid: A Benchmark for Tracking Any Point in a Video", 2022; the function
reproduces the published reference (google-deepmind/tapnet, Apache-2.0), edge cases included.
"""

import numpy as np
from numpy.typing import NDArray

THRESHOLDS = (1, 2, 4, 8, 16)
"""Distances in pixels of the 256x256 raster over which the averages are taken."""

METRIC_NAMES = (
    "occlusion_accuracy",
    *(f"{kind}_{threshold}" for threshold in THRESHOLDS for kind in ("pts_within", "jaccard")),
    "average_jaccard",
    "average_pts_within_thresh",
)
"""Keys of the result of ``tapvid_metrics``, in its order."""

QUERY_MODES = ("first", "strided")

Bools = NDArray[np.bool_]
Floats = NDArray[np.floating]


def tapvid_metrics(
    query_points: Floats,
    gt_occluded: Bools,
    gt_tracks: Floats,
    pred_occluded: Bools,
    pred_tracks: Floats,
    query_mode: str,
    get_trackwise_metrics: bool = False,
) -> dict[str, NDArray[np.float64]]:
    """Compare predicted with true tracks, one number per video (or per track).

    Args:
        query_points: (B, N, 3), (t, y, x); t in frames, rounded half to even; y and x are not used.
        gt_occluded: (B, N, T) bool, True where the point is hidden.
        gt_tracks: (B, N, T, 2) floating, (x, y) in raster pixels of the 256x256 frame.
        pred_occluded: (B, N, T) bool, the predicted occlusion.
        pred_tracks: (B, N, T, 2) floating, in the same frame; NaN or infinite counts as wrong.
        query_mode: "first" evaluates the frames after the query, "strided" all frames but the query's.
        get_trackwise_metrics: sum over frames only, not over the tracks of a video.

    Returns:
        ``METRIC_NAMES`` -> float64 (B,), or (B, N) trackwise, in 0..1. NaN where there is nothing to divide
        by: no evaluated frame, or (positions) no visible ground truth in the evaluated frames. A Jaccard
        without visible ground truth is 0 if anything is predicted visible.

    Raises:
        ValueError: a shape, a dtype, a query frame or the query mode is not as described.
    """
    _check(query_points, gt_occluded, gt_tracks, pred_occluded, pred_tracks)
    evaluated = evaluated_frames(query_points[..., 0], gt_occluded.shape[2], query_mode)
    axis = (2,) if get_trackwise_metrics else (1, 2)

    def share(numerator: Bools, denominator: NDArray[np.int64]) -> NDArray[np.float64]:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(np.sum(numerator, axis=axis) / denominator)

    to_find = evaluated & ~gt_occluded
    claimed = evaluated & ~pred_occluded
    visible_count = np.sum(to_find, axis=axis)
    metrics = {
        "occlusion_accuracy": share(evaluated & (pred_occluded == gt_occluded), np.sum(evaluated, axis=axis))
    }
    # infinite predictions overflow or turn into NaN: both compare as "not within"
    with np.errstate(over="ignore", invalid="ignore"):
        squared_error = np.sum(np.square(pred_tracks - gt_tracks), axis=-1)
    for threshold in THRESHOLDS:
        found = to_find & (squared_error < threshold**2)
        false_positives = np.sum(claimed & ~found, axis=axis)
        metrics[f"pts_within_{threshold}"] = share(found, visible_count)
        metrics[f"jaccard_{threshold}"] = share(found & claimed, visible_count + false_positives)
    metrics["average_jaccard"] = _average(metrics, "jaccard")
    metrics["average_pts_within_thresh"] = _average(metrics, "pts_within")
    return metrics


def evaluated_frames(query_frames: NDArray[np.floating], frames: int, query_mode: str) -> Bools:
    """Mark the frames that count: (..., T) bool from query frames (...,), rounded half to even.

    Raises ``ValueError`` for an unknown ``query_mode`` or a query outside 0..``frames`` - 1.
    """
    check_query_mode(query_mode)
    rounded = np.round(query_frames)
    if not np.all((rounded >= 0) & (rounded < frames)):
        raise ValueError(f"a query frame lies outside the video; its {frames} frames are 0..{frames - 1}")
    query = rounded.astype(np.int64)[..., None]
    return np.arange(frames) > query if query_mode == "first" else np.arange(frames) != query


def check_query_mode(query_mode: str) -> None:
    """Raise ``ValueError`` unless it is one of ``QUERY_MODES``."""
    if query_mode not in QUERY_MODES:
        raise ValueError(f"query_mode is {query_mode!r}; it must be 'first' or 'strided'")


def _average(metrics: dict[str, NDArray[np.float64]], kind: str) -> NDArray[np.float64]:
    return np.mean([metrics[f"{kind}_{threshold}"] for threshold in THRESHOLDS], axis=0)


def _check(
    query_points: Floats,
    gt_occluded: Bools,
    gt_tracks: Floats,
    pred_occluded: Bools,
    pred_tracks: Floats,
) -> None:
    """Raise ``ValueError`` unless shapes agree, occlusions are bool and positions are floating."""
    if np.ndim(gt_occluded) != 3:
        raise ValueError(f"gt_occluded has shape {np.shape(gt_occluded)}; it must be (B, N, T)")
    videos, tracks, frames = gt_occluded.shape
    wanted = {
        "query_points": (query_points, (videos, tracks, 3), np.number, "a number type"),
        "gt_occluded": (gt_occluded, (videos, tracks, frames), np.bool_, "bool"),
        "gt_tracks": (gt_tracks, (videos, tracks, frames, 2), np.floating, "a floating type"),
        "pred_occluded": (pred_occluded, (videos, tracks, frames), np.bool_, "bool"),
        "pred_tracks": (pred_tracks, (videos, tracks, frames, 2), np.floating, "a floating type"),
    }
    for name, (array, shape, kind, kind_name) in wanted.items():
        if np.shape(array) != shape:
            raise ValueError(f"{name} has shape {np.shape(array)}; it must be {shape} to match gt_occluded")
        if not np.issubdtype(array.dtype, kind):
            raise ValueError(f"{name} has dtype {array.dtype}; it must be {kind_name}")
