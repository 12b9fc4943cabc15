"""Forward-backward cycle error: what can be said of a tracker on a video whose true tracks are not known.

A point is tracked forward, and from there back again; the error is how far it misses where it started (Kalal
et al., "Forward-Backward Error: Automatic Detection of Tracking Failures", 2010). A small one is necessary,
not sufficient: points that never move come back exactly.
"""

import numpy as np
from numpy.typing import NDArray

from cotracker_pipeline.evaluation.metrics import check_query_mode
from cotracker_pipeline.evaluation.queries import QUERY_STRIDE
from cotracker_pipeline.evaluation.tracker import PointTracker, check_inputs

CYCLE_NAMES = ("cycle_error", "cycle_points")
"""Keys of the result of ``cycle_metrics``."""

GRID_SIDE = 10
"""Points per row and column that are queried in a frame."""


def cycle_metrics(tracker: PointTracker, video: NDArray[np.uint8], query_mode: str) -> dict[str, float]:
    """Track a grid of points forward and back.

    Args:
        tracker: called for the video, and for the reversed video.
        video: (T, H, W, 3) uint8, RGB.
        query_mode: "first" queries the first frame, "strided" every fifth.

    Returns:
        ``cycle_error``, the mean over points in pixels of the video, NaN where there is none;
        ``cycle_points``, how many points it is of, those that ``cycle_errors`` has a number for; ``queries``,
        how many were asked for.

    Raises ``ValueError`` for an unknown ``query_mode``.
    """
    queries = grid_queries(video, query_mode)
    errors = cycle_errors(tracker, video, queries)
    known = errors[np.isfinite(errors)]
    return {
        "cycle_error": float(known.mean()) if known.size else float("nan"),
        "cycle_points": float(known.size),
        "queries": float(len(queries)),
    }


def cycle_errors(
    tracker: PointTracker, video: NDArray[np.uint8], queries: NDArray[np.float64]
) -> NDArray[np.float64]:
    """How far each point misses itself after it was tracked forward and back.

    A point turns back in the last frame in which it is predicted visible. Back means forward in the reversed
    video: a tracker that only looks ahead has a cycle error too.

    Args:
        tracker, video, queries: as in ``PointTracker``.

    Returns:
        (N,) in pixels of the video; NaN where a point is in no later frame visible at a finite position.

    Raises ``ValueError`` as ``check_inputs``.
    """
    start = check_inputs(video, queries)
    last = len(video) - 1
    tracks, visible = tracker(video, queries)
    later = np.arange(last + 1) > start[:, None]
    reached = visible & later & np.isfinite(tracks).all(axis=-1)
    returning = np.flatnonzero(reached.any(axis=1))
    turn = last - np.argmax(reached[returning, ::-1], axis=1)
    turned = np.column_stack([last - turn, tracks[returning, turn]]).astype(np.float64)
    back, _ = tracker(video[::-1], turned)
    arrived = back[np.arange(len(returning)), last - start[returning]]
    errors = np.full(len(queries), np.nan)
    errors[returning] = np.linalg.norm(arrived - queries[returning, 1:], axis=-1)
    return errors


def grid_queries(video: NDArray[np.uint8], query_mode: str) -> NDArray[np.float64]:
    """Queries (N, 3) as (t, x, y) raster pixels: the centres of ``GRID_SIDE``² equal parts of each frame."""
    check_query_mode(query_mode)
    frames, height, width = video.shape[:3]
    centres = (np.arange(GRID_SIDE) + 0.5) / GRID_SIDE
    queried = np.arange(0, frames if query_mode == "strided" else 1, QUERY_STRIDE)
    t, y, x = np.meshgrid(queried.astype(np.float64), centres * height, centres * width, indexing="ij")
    return np.stack([t, x, y], axis=-1).reshape(-1, 3)
