"""What a point tracker is to the benchmark: the one protocol that baselines and trained models share."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Tracks = NDArray[np.float32]
Visible = NDArray[np.bool_]


class PointTracker(Protocol):
    """Follows points through a video."""

    def __call__(self, video: NDArray[np.uint8], queries: NDArray[np.float64]) -> tuple[Tracks, Visible]:
        """Track all queries through the whole video, before and after the query frame.

        Args:
            video: (T, H, W, 3) uint8, RGB.
            queries: (N, 3) float64, (t, x, y); t in frames, x and y in raster pixels of ``video`` (the centre
                of the upper-left pixel is at 0.5, 0.5). All queries of a video come at once; N may be 0.

        Returns:
            Tracks (N, T, 2) float32, (x, y) in raster pixels, and visible (N, T) bool.

        Raises:
            ValueError: the input is not as described (``check_inputs``).
        """
        ...


def check_inputs(video: NDArray[np.uint8], queries: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the query frames (N,) int64, t rounded half to even.

    Raises ``ValueError`` unless ``video`` and ``queries`` are as ``PointTracker`` describes.
    """
    if np.ndim(video) != 4 or video.shape[-1] != 3 or video.dtype != np.uint8:
        raise ValueError(f"video is {video.dtype} of shape {np.shape(video)}; it must be uint8 (T, H, W, 3)")
    if np.ndim(queries) != 2 or queries.shape[1] != 3:
        raise ValueError(f"queries has shape {np.shape(queries)}; it must be (N, 3): t, x, y")
    if not np.all(np.isfinite(queries)):
        raise ValueError("queries holds NaN or infinite values; every t, x and y must be finite")
    frames = np.round(queries[:, 0]).astype(np.int64)
    if not np.all((frames >= 0) & (frames < len(video))):
        raise ValueError(
            f"a query frame lies outside the video; its {len(video)} frames are 0..{len(video) - 1}"
        )
    return frames
