"""Tracking in a video of another size."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cotracker_pipeline.evaluation.tracker import PointTracker, Tracks, Visible


class Resized:
    """A tracker that is given every video as a square, resized by Lanczos, as TAP-Vid's readers do.

    Args:
        tracker: what tracks.
        side: of the square in pixels; the aspect ratio is not kept.
    """

    def __init__(self, tracker: PointTracker, side: int) -> None:
        self.tracker = tracker
        self.side = side

    def __call__(self, video: NDArray[np.uint8], queries: NDArray[np.float64]) -> tuple[Tracks, Visible]:
        """As ``PointTracker``; queries and tracks are of the video as it is given."""
        height, width = video.shape[1:3]
        # raster pixels: corners stay corners
        scale = self.side / np.array([width, height])
        resized = np.stack([self._resized(frame) for frame in video])
        queries = np.concatenate([queries[:, :1], queries[:, 1:] * scale], axis=1)
        tracks, visible = self.tracker(resized, queries)
        return (tracks / scale).astype(np.float32), visible

    def _resized(self, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return np.asarray(Image.fromarray(frame).resize((self.side, self.side), Image.Resampling.LANCZOS))


def resized(trackers: Mapping[str, PointTracker], side: int | None) -> Mapping[str, PointTracker]:
    """Each of ``trackers`` given squares of ``side`` pixels; as they are where it is None."""
    if side is None:
        return trackers
    return {name: Resized(tracker, side) for name, tracker in trackers.items()}
