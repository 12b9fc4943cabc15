"""The lowest floor: nothing moves and nothing hides."""

import numpy as np
from numpy.typing import NDArray

from cotracker_pipeline.evaluation.tracker import Tracks, Visible, check_inputs


def static(video: NDArray[np.uint8], queries: NDArray[np.float64]) -> tuple[Tracks, Visible]:
    """Leave every point at its query position, visible in all frames; see ``PointTracker``."""
    check_inputs(video, queries)
    frames = len(video)
    tracks = np.repeat(queries[:, None, 1:].astype(np.float32), frames, axis=1)
    return tracks, np.ones((len(queries), frames), dtype=np.bool_)
