"""Following points from frame to frame, both ways from the query, by any estimate of motion."""

from collections.abc import Callable
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from cotracker_pipeline.data.coordinates import index_to_raster, raster_to_index
from cotracker_pipeline.evaluation.tracker import Tracks, Visible, check_inputs

Gray = NDArray[np.uint8]
Points = NDArray[np.float32]

Motion = Callable[[Gray, Gray, Points], Points]
"""Two frames (H, W) uint8 and points (M, 2) float32 -> where the points are in the second frame, (M, 2).

Points are pixel indices; one that cannot be followed may come back as NaN.
"""

ROUND_TRIP_LIMIT = 2.0
"""Pixels by which a point may miss itself after one frame on and back; beyond, it counts as hidden."""


def chain(video: NDArray[np.uint8], queries: NDArray[np.float64], motion: Motion) -> tuple[Tracks, Visible]:
    """Chain ``motion`` through the video; arguments and results as in ``PointTracker``.

    A point is visible until it leaves the image or fails the round trip (to the next frame and back). From
    there on it stays hidden, since a chain that slipped once follows something else, but it is still moved.
    """
    query_frames = check_inputs(video, queries)
    gray = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in video]
    start = raster_to_index(queries[:, 1:]).astype(np.float32)
    tracks = np.repeat(start[:, None], len(gray), axis=1)
    visible = np.ones(tracks.shape[:2], dtype=np.bool_)
    for step in (1, -1):
        _follow(gray, query_frames, tracks, visible, motion, step)
    return index_to_raster(tracks), visible


def _follow(
    gray: list[Gray],
    query_frames: NDArray[np.int64],
    tracks: Tracks,
    visible: Visible,
    motion: Motion,
    step: int,
) -> None:
    """Fill ``tracks`` (pixel indices) and ``visible`` in place on one side of the query frames."""
    frames = range(len(gray))[::step]
    for here, there in pairwise(frames):
        moving = np.flatnonzero((query_frames - here) * step <= 0)
        if not moving.size:
            continue
        old = tracks[moving, here]
        new = motion(gray[here], gray[there], old)
        # a point that cannot be followed waits where it was
        new = np.where(np.isfinite(new), new, old)
        back = motion(gray[there], gray[here], new)
        returned = np.linalg.norm(back - old, axis=1) < ROUND_TRIP_LIMIT
        tracks[moving, there] = new
        visible[moving, there] = visible[moving, here] & returned & _inside(new, gray[there])


def _inside(points: Points, image: Gray) -> Visible:
    height, width = image.shape
    return np.all((points >= -0.5) & (points <= (width - 0.5, height - 0.5)), axis=1)
