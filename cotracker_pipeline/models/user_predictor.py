"""Tracking in a user's own video: raster pixels, and which part of the answer means something."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cotracker_pipeline.config import Architecture
from cotracker_pipeline.data.coordinates import index_to_raster, raster_to_index
from cotracker_pipeline.models.encoded_video import EncodedVideo
from cotracker_pipeline.models.predictors import BidirectionalPredictor, Predictor
from cotracker_pipeline.models.tracker import Tracker
from cotracker_pipeline.models.user_queries import Queries
from cotracker_pipeline.models.windowed import WindowedTracker

SUPPORT_GRID = 6
"""Side of the grid of support points where the queries themselves do not cover the video."""

FRAMES_AT_ONCE = 8
"""Frames that are made floating and resized at a time."""

Progress = Callable[[int], None]
"""Called with how many frames or points are done since the last call."""


class PointTracks(NamedTuple):
    """What was tracked.

    queries: (N, 3) float64 as (t, x, y), raster pixels of the video.
    tracks: (N, T, 2) float32, (x, y) in the same pixels; NaN where not valid.
    visible: (N, T) bool, False where not valid.
    valid: (N, T) bool, the frames in which a point was tracked.
    """

    queries: Queries
    tracks: NDArray[np.float32]
    visible: NDArray[np.bool_]
    valid: NDArray[np.bool_]


class UserPredictor:
    """Tracks points through the frames that its tracker can reach.

    CoTracker2 and CoTracker3 online look ahead only: frames before a query are not valid, unless they are
    tracked in the reversed video. CoTracker3 offline reaches them by itself; ``backward`` replaces those.

    Args:
        model: the tracker.
        resolution: (height, width) that videos are resized to.
        visibility_threshold: of the probability of being visible, times the confidence of CoTracker3.
        support_grid: side of the grid of support points on the first frame; 0 for none.
        backward: also track the reversed video, for the frames before each query.
        iterations: refinement iterations per window.
    """

    def __init__(
        self,
        model: Tracker,
        resolution: tuple[int, int],
        visibility_threshold: float,
        support_grid: int = SUPPORT_GRID,
        backward: bool = False,
        iterations: int = 6,
    ) -> None:
        self.forward = Predictor(model, resolution, support_grid, iterations)
        self.predictor = BidirectionalPredictor(self.forward) if backward else self.forward
        self.visibility_threshold = visibility_threshold
        self.reaches_back = backward or not isinstance(model, WindowedTracker)

    def encode(self, video: NDArray[np.uint8], progress: Progress | None = None) -> EncodedVideo:
        """Encode a video (T, H, W, 3) uint8 RGB, a few frames at a time."""
        device = next(self.forward.model.parameters()).device
        maps = []
        for start in range(0, len(video), FRAMES_AT_ONCE):
            frames = torch.from_numpy(video[start : start + FRAMES_AT_ONCE]).to(device).float()
            maps.append(self.forward.encode(frames.permute(0, 3, 1, 2)[None]).maps)
            if progress is not None:
                progress(len(frames))
        return EncodedVideo(torch.cat(maps, dim=1), (video.shape[1], video.shape[2]))

    def track(self, video: EncodedVideo, queries: Queries) -> PointTracks:
        """Track all ``queries`` jointly. In its own frame a point is where it was asked for, and visible."""
        points = torch.from_numpy(queries).to(video.maps.device, torch.float32)
        points = torch.cat([points[:, :1], raster_to_index(points[:, 1:])], dim=-1)
        coords, visibility = self.predictor(video, points[None])
        tracks = _by_track(index_to_raster(coords[0]))
        visible = _by_track(visibility[0] > self.visibility_threshold)
        point, frame = np.arange(len(queries)), queries[:, 0].astype(np.int64)
        tracks[point, frame], visible[point, frame] = queries[:, 1:], True
        valid = self.reaches_back | (np.arange(visible.shape[1]) >= frame[:, None])
        return PointTracks(
            queries, np.where(valid[..., None], tracks, np.float32(np.nan)), visible & valid, valid
        )

    def track_groups(
        self,
        video: EncodedVideo,
        queries: Queries,
        groups: Sequence[NDArray[np.int64]],
        progress: Progress | None = None,
    ) -> PointTracks:
        """Track one group of ``queries`` after another; ``groups`` are indices that hold each query once."""
        count, frames = len(queries), video.maps.shape[1]
        whole = PointTracks(
            queries,
            np.empty((count, frames, 2), np.float32),
            np.empty((count, frames), np.bool_),
            np.empty((count, frames), np.bool_),
        )
        for group in groups:
            tracked = self.track(video, queries[group])
            for place, part in zip(whole[1:], tracked[1:], strict=True):
                place[group] = part
            if progress is not None:
                progress(len(group))
        return whole


def visibility_threshold(architecture: Architecture) -> float:
    """Above which a point counts as visible, as published; that of CoTracker3 is times the confidence."""
    return 0.9 if architecture == "cotracker2" else 0.6


def _by_track(values: Tensor) -> NDArray:
    """(T, N, ...) to a numpy array (N, T, ...) of its own."""
    return values.transpose(0, 1).cpu().numpy().copy()
