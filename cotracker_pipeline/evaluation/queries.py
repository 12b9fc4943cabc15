"""Which points a benchmark asks a tracker to follow, as in TAP-Vid (google-deepmind/tapnet, Apache-2.0)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

QuerySample = dict[str, NDArray[Any]]

QUERY_STRIDE = 5
"""Frames from one queried frame to the next in the mode "strided"."""


def sample_queries_first(
    target_occluded: NDArray[np.bool_], target_points: NDArray[np.floating], frames: NDArray[Any]
) -> QuerySample:
    """Query each track once, in the first frame in which it is visible; drop tracks that never are.

    Args:
        target_occluded: (N, T) bool, True where the point is hidden.
        target_points: (N, T, 2) floating, (x, y) in any unit; the queries are in the same.
        frames: (T, ...) the video; passed through.

    Returns:
        ``video`` (1, T, ...), ``query_points`` (1, M, 3) float64 (t, y, x), ``target_points`` (1, M, T, 2)
        and ``occluded`` (1, M, T); M is the number of tracks that are ever visible, in the order given.

    Raises:
        ValueError: shapes or dtypes are not as described, or no track is ever visible.
    """
    _check(target_occluded, target_points, frames)
    kept = ~np.all(target_occluded, axis=1)
    if not np.any(kept):
        raise ValueError("no track is ever visible, so there is no first visible frame to query")
    occluded, points = target_occluded[kept], target_points[kept]
    query_frames = np.argmin(occluded, axis=1)
    return _sample(query_frames, np.arange(len(points)), points, occluded, frames)


def sample_queries_strided(
    target_occluded: NDArray[np.bool_],
    target_points: NDArray[np.floating],
    frames: NDArray[Any],
    query_stride: int = QUERY_STRIDE,
) -> QuerySample:
    """Query every track in each frame 0, ``query_stride``, 2 ``query_stride``... in which it is visible.

    A track may be queried several times or never. Arguments and results as in ``sample_queries_first``, plus
    ``trackgroup`` (1, M) int64: the index of the track behind each query. The order is by frame, then by
    track; M may be 0.

    Raises:
        ValueError: shapes or dtypes are not as described, or the stride is not positive.
    """
    _check(target_occluded, target_points, frames)
    if query_stride < 1:
        raise ValueError(f"query_stride is {query_stride}; it must be at least 1")
    # transposed, so that the frame is the slower index
    strides, tracks = np.nonzero(~target_occluded[:, ::query_stride].T)
    sample = _sample(strides * query_stride, tracks, target_points, target_occluded, frames)
    return {**sample, "trackgroup": tracks[None]}


def _sample(
    query_frames: NDArray[np.int64],
    tracks: NDArray[np.int64],
    points: NDArray[np.floating],
    occluded: NDArray[np.bool_],
    frames: NDArray[Any],
) -> QuerySample:
    """The batch of one video in which query m asks for track ``tracks[m]`` in frame ``query_frames[m]``."""
    x, y = points[tracks, query_frames].astype(np.float64).T
    return {
        "video": frames[None],
        "query_points": np.stack([query_frames.astype(np.float64), y, x], axis=-1)[None],
        "target_points": points[tracks][None],
        "occluded": occluded[tracks][None],
    }


def _check(
    target_occluded: NDArray[np.bool_], target_points: NDArray[np.floating], frames: NDArray[Any]
) -> None:
    """Raise ``ValueError`` unless the arrays describe the same tracks over the same frames."""
    if np.ndim(target_occluded) != 2 or target_occluded.dtype != np.bool_:
        raise ValueError(
            f"target_occluded is {target_occluded.dtype} of shape {np.shape(target_occluded)}; "
            "it must be bool (N, T)"
        )
    if np.shape(target_points) != (*target_occluded.shape, 2):
        raise ValueError(
            f"target_points has shape {np.shape(target_points)}; it must be {(*target_occluded.shape, 2)} "
            "to match target_occluded"
        )
    if not np.issubdtype(target_points.dtype, np.floating):
        raise ValueError(f"target_points has dtype {target_points.dtype}; it must be a floating type")
    if len(frames) != target_occluded.shape[1]:
        raise ValueError(f"frames has {len(frames)} frames, target_occluded {target_occluded.shape[1]}")
