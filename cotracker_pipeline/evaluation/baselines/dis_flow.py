"""Dense inverse search (DIS) optical flow, chained over frames.

Kroeger et al., "Fast Optical Flow using Dense Inverse Search", 2016; OpenCV's implementation.
"""

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from cotracker_pipeline.evaluation.baselines.chain import Gray, Points, chain
from cotracker_pipeline.evaluation.tracker import Tracks, Visible, check_inputs

SMALLEST_SIDE = 12
"""Pixels; OpenCV refuses smaller images."""


def dis_flow(video: NDArray[np.uint8], queries: NDArray[np.float64]) -> tuple[Tracks, Visible]:
    """Track points along dense flow fields; see ``PointTracker`` and, for visibility, ``chain``.

    Raises ``ValueError`` also for a video with a side below ``SMALLEST_SIDE`` pixels.
    """
    check_inputs(video, queries)
    if min(video.shape[1:3]) < SMALLEST_SIDE:
        raise ValueError(f"video has shape {video.shape}; both sides must be at least {SMALLEST_SIDE} pixels")
    estimator = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    # the preset stops at half resolution, which costs 16 points of delta at 128x128
    estimator.setFinestScale(0)
    # a third argument of the size of the frames would be taken as a first estimate
    no_start = np.empty(0, dtype=np.float32)

    def motion(first: Gray, second: Gray, points: Points) -> Points:
        return points + _sample(np.asarray(estimator.calc(first, second, no_start)), points)

    return chain(video, queries, motion)


def _sample(field: NDArray[np.float32], points: Points) -> Points:
    """Read a field (H, W, 2) at pixel indices (M, 2), bilinearly; outside it, the nearest edge counts."""
    # not cv2.remap: that rounds positions to 1/32 pixel and takes at most 32767 points
    rows_columns = points.T[::-1]
    values = [map_coordinates(field[..., axis], rows_columns, order=1, mode="nearest") for axis in (0, 1)]
    return np.stack(values, axis=-1)
