"""Pyramidal Lucas-Kanade optical flow, chained over frames.

Bouguet, "Pyramidal Implementation of the Lucas Kanade Feature Tracker", 2000; OpenCV's implementation.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from cotracker_pipeline.evaluation.baselines.chain import Gray, Points, chain
from cotracker_pipeline.evaluation.tracker import Tracks, Visible

# best average Jaccard on rendered 128x128 and 256x256 scenes; OpenCV drops levels smaller than the window
WINDOW = (9, 9)
HIGHEST_LEVEL = 4
SMALLEST_EIGENVALUE = 0.0


def lucas_kanade(video: NDArray[np.uint8], queries: NDArray[np.float64]) -> tuple[Tracks, Visible]:
    """Track each point by its own small window; see ``PointTracker`` and, for visibility, ``chain``."""
    return chain(video, queries, _motion)


def _motion(first: Gray, second: Gray, points: Points) -> Points:
    guess = np.empty((len(points), 1, 2), dtype=np.float32)
    moved, found, _ = cv2.calcOpticalFlowPyrLK(
        first,
        second,
        points[:, None],
        guess,
        winSize=WINDOW,
        maxLevel=HIGHEST_LEVEL,
        minEigThreshold=SMALLEST_EIGENVALUE,
    )
    return np.where(found == 1, moved[:, 0], np.float32(np.nan))
