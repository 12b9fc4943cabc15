"""Metrics of sets that are rendered: where every point is, is known under occlusion too.

Dynamic Replica as CoTracker's evaluation measures it, and PointOdyssey as PIPs++ does. Distances are compared
at 256x256, visibility is not predicted, and every track is queried in frame 0.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from cotracker_pipeline.evaluation.metrics import THRESHOLDS

SIDE = 256
LOST = 50
"""Distance at which a track of Dynamic Replica is lost."""

LOST_POINT_ODYSSEY = (16, 50)
"""The same of PointOdyssey: in the published code, and in its article."""

Bools = NDArray[np.bool_]
Floats = NDArray[np.floating]


def dynamic_replica_metrics(
    tracks: Floats, visible: Bools, predicted: Floats, size: tuple[int, int]
) -> dict[str, float]:
    """Compare predicted with true tracks of one video in the frames after each track's first visible one.

    Args:
        tracks: (N, T, 2) the truth, (x, y) in pixels.
        visible: (N, T); the first visible frame of a track that never is, is frame 0.
        predicted: (N, T, 2).
        size: (width, height) of the video; W - 1 and H - 1 pixels become 255.

    Returns:
        ``accuracy_D``, the share of points nearer than D, for D in ``THRESHOLDS``; the same of visible
        (``accuracy_vis_D``) and of occluded points (``accuracy_occ_D``); ``accuracy``, ``accuracy_vis`` and
        ``accuracy_occ``, their means over D; ``survival``, the share of all frames before a track, while it
        is visible, is ``LOST`` pixels off. All in 0..1, NaN where there is no such point.

    Raises:
        ValueError: shapes are not as described.
    """
    errors = _errors(tracks, visible, predicted, (SIDE - 1) / np.maximum(np.array(size) - 1, 1))
    after = np.arange(visible.shape[1]) > visible.argmax(axis=1)[:, None]
    parts = {"accuracy": after, "accuracy_vis": after & visible, "accuracy_occ": after & ~visible}
    metrics = {
        f"{name}_{threshold}": _share(errors < threshold, part)
        for name, part in parts.items()
        for threshold in THRESHOLDS
    }
    means = {name: _mean_over_thresholds(metrics, name) for name in parts}
    return metrics | means | {"survival": _survival(errors, visible, LOST)}


def point_odyssey_metrics(
    tracks: Floats, valid: Bools, predicted: Floats, size: tuple[int, int]
) -> dict[str, float]:
    """Compare predicted with true tracks of one video in all frames but the first.

    Args:
        tracks: (N, T, 2) the truth, (x, y) in pixels.
        valid: (N, T), where the truth is known; it may be occluded.
        predicted: (N, T, 2).
        size: (width, height) of the video, which become 256.

    Returns:
        ``d_D``, the share of points nearer than D, for D in ``THRESHOLDS``; ``d_avg``, their mean over D;
        ``survival_D``, the share of frames before a track is D pixels off, for D in ``LOST_POINT_ODYSSEY``;
        all in 0..1. ``median_l2``, in pixels: the median distance of a track, averaged over tracks. NaN where
        there is no such point; ``median_l2`` also where a track has none.

    Raises:
        ValueError: shapes are not as described.
    """
    errors = _errors(tracks, valid, predicted, SIDE / np.array(size))
    later = valid & (np.arange(valid.shape[1]) > 0)
    metrics = {f"d_{threshold}": _share(errors < threshold, later) for threshold in THRESHOLDS}
    metrics["d_avg"] = _mean_over_thresholds(metrics, "d")
    for lost in LOST_POINT_ODYSSEY:
        metrics[f"survival_{lost}"] = _survival(errors, valid, lost)
    medians = [
        np.median(error[known]) if known.any() else np.nan for error, known in zip(errors, valid, strict=True)
    ]
    return metrics | {"median_l2": float(np.mean(medians)) if medians else float("nan")}


def _errors(tracks: Floats, mask: Bools, predicted: Floats, scale: Floats) -> NDArray[np.float64]:
    """Distances (N, T); infinite where the prediction is no number."""
    if np.ndim(mask) != 2 or np.shape(tracks) != (*mask.shape, 2) or np.shape(predicted) != np.shape(tracks):
        raise ValueError(
            f"tracks {np.shape(tracks)}, predictions {np.shape(predicted)} and visibility {np.shape(mask)} "
            "must be (N, T, 2), (N, T, 2) and (N, T)"
        )
    with np.errstate(over="ignore", invalid="ignore"):
        distances = np.linalg.norm((np.float64(predicted) - tracks) * scale, axis=-1)
    return np.nan_to_num(distances, nan=np.inf, posinf=np.inf)


def _share(hits: Bools, mask: Bools) -> float:
    return float(hits[mask].mean()) if mask.any() else float("nan")


def _survival(errors: NDArray[np.float64], mask: Bools, lost: float) -> float:
    survives = np.cumprod(~((errors > lost) & mask), axis=1)
    return float(survives.mean()) if survives.size else float("nan")


def _mean_over_thresholds(metrics: Mapping[str, float], name: str) -> float:
    return float(np.mean([metrics[f"{name}_{threshold}"] for threshold in THRESHOLDS]))
