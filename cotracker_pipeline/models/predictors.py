"""Trackers that take a video and query points as users and benchmarks have them."""

import hashlib
import os

import numpy as np
import torch
from torch import Tensor

from cotracker_pipeline.config import Evaluation, Strategy
from cotracker_pipeline.data.coordinates import CONVENTIONS, RASTER, Convention
from cotracker_pipeline.models.checkpoints import load_model
from cotracker_pipeline.models.encoded_video import EncodedVideo, encoded, pixel_scale
from cotracker_pipeline.models.predictions import combined
from cotracker_pipeline.models.queries import check_queries, scaled_queries
from cotracker_pipeline.models.single_point import SinglePointPredictor
from cotracker_pipeline.models.support_points import support_points
from cotracker_pipeline.models.tracker import Tracker
from cotracker_pipeline.rungs import TRACKING


class Predictor:
    """Track all queries jointly, beside a regular grid of support points on the first frame.

    Args:
        model: the tracker.
        resolution: (height, width) that videos are resized to.
        support_grid: side of the grid of support points; 0 for none.
        iterations: refinement iterations per window.
    """

    def __init__(
        self, model: Tracker, resolution: tuple[int, int], support_grid: int = 5, iterations: int = 6
    ) -> None:
        self.model = model.eval()
        self.resolution = resolution
        self.support_grid = support_grid
        self.iterations = iterations

    def encode(self, video: Tensor) -> EncodedVideo:
        """Encode a video (B, T, 3, H, W) RGB, 0..255."""
        return encoded(self.model, video, self.resolution)

    @torch.inference_mode()
    def __call__(self, video: EncodedVideo, queries: Tensor) -> tuple[Tensor, Tensor]:
        """Track.

        Args:
            video: of ``encode``.
            queries: (B, N, 3) as (t, x, y) in pixel indices of the video.

        Returns:
            tracks (B, T, N, 2) pixel indices of the video, and visibility probabilities (B, T, N), times the
            confidence where the model has one. Frames before a query are unspecified.

        Raises:
            ValueError: for queries that make no sense (``check_queries``).
        """
        scale = pixel_scale(video.size, self.resolution).to(queries)
        queries = scaled_queries(queries, scale)
        check_queries(queries, video.maps.shape[1])
        support = support_points(self.support_grid, self.resolution).to(queries)
        with_support = torch.cat([queries, support.expand(len(queries), -1, -1)], dim=1)
        coords, *probabilities, _ = self.model.track(video.maps, with_support, self.iterations)
        count = queries.shape[1]
        return coords[:, :, :count] / scale, combined(probabilities)[:, :, :count]


class BidirectionalPredictor:
    """A predictor that also runs on the reversed video, for the frames before each query."""

    def __init__(self, predictor: Predictor | SinglePointPredictor) -> None:
        self.predictor = predictor

    def __call__(self, video: EncodedVideo, queries: Tensor) -> tuple[Tensor, Tensor]:
        """As ``Predictor``; every frame is tracked."""
        last = video.maps.shape[1] - 1
        tracks, visibility = self.predictor(video, queries)
        reversed_queries = torch.cat([last - queries[..., :1], queries[..., 1:]], dim=-1)
        backward, backward_visibility = self.predictor(video.reversed(), reversed_queries)
        frame = torch.arange(last + 1, device=queries.device)
        before = frame[None, :, None] < queries[:, None, :, 0]
        tracks = torch.where(before[..., None], backward.flip(1), tracks)
        return tracks, torch.where(before, backward_visibility.flip(1), visibility)


AnyPredictor = Predictor | SinglePointPredictor | BidirectionalPredictor


class VideoEncoder:
    """Encodes videos on a device at a resolution, and the video of the last call only once."""

    def __init__(self, model: Tracker, resolution: tuple[int, int], device: torch.device | str) -> None:
        self.model = model
        self.resolution = resolution
        self.device = torch.device(device)
        self._last: tuple[bytes, EncodedVideo] | None = None

    def __call__(self, video: np.ndarray) -> EncodedVideo:
        """Encode a video (T, H, W, 3) uint8 RGB."""
        frames = np.ascontiguousarray(video)
        # by content: an array that is filled again is another video
        name = hashlib.sha256(frames.data).digest() + repr(frames.shape).encode()
        if self._last is None or self._last[0] != name:
            images = torch.from_numpy(frames).to(self.device).float()
            self._last = name, encoded(self.model, images.permute(0, 3, 1, 2)[None], self.resolution)
        return self._last[1]


class VideoTracker:
    """A predictor behind the interface of the benchmarks: numpy arrays and raster pixels."""

    def __init__(
        self,
        encode: VideoEncoder,
        predictor: AnyPredictor,
        visibility_threshold: float,
        convention: Convention[Tensor] = RASTER,
    ) -> None:
        self.encode = encode
        self.predictor = predictor
        self.visibility_threshold = visibility_threshold
        self.convention = convention

    def __call__(self, video: np.ndarray, queries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Track.

        Args:
            video: (T, H, W, 3) uint8 RGB.
            queries: (N, 3) as (t, x, y) in raster pixels of the video (pixel centres at +0.5).

        Returns:
            tracks (N, T, 2) float32 raster pixels, visible (N, T) boolean.
        """
        encoded = self.encode(video)
        points = torch.from_numpy(np.asarray(queries, dtype=np.float32)).to(encoded.maps.device)
        size = torch.tensor(encoded.size[::-1]).to(points)
        points = torch.cat([points[:, :1], self.convention.to_index(points[:, 1:], size)], dim=-1)
        tracks, visibility = self.predictor(encoded, points[None])
        visible = visibility[0].T.gt(self.visibility_threshold)
        raster = self.convention.to_raster(tracks[0].transpose(0, 1), size)
        return raster.float().cpu().numpy(), visible.cpu().numpy()


def load_trackers(
    checkpoint: str | os.PathLike[str], evaluation: Evaluation, device: torch.device | str = "cpu"
) -> dict[str, VideoTracker]:
    """``trackers_of`` the model in a checkpoint of the train step, at the resolution that it is made for.

    Args:
        checkpoint: a ``model.safetensors``.
        evaluation: as in ``trackers_of``.
        device: where the model runs.

    Raises:
        UserError: when the file is no such checkpoint.
    """
    loaded = load_model(checkpoint, Strategy(**TRACKING))
    return trackers_of(loaded.model.to(device), loaded.size.model_resolution, evaluation)


def trackers_of(
    model: Tracker, resolution: tuple[int, int], evaluation: Evaluation
) -> dict[str, VideoTracker]:
    """A tracker for each query mode, on the device of ``model``, whose mode becomes that of evaluation.

    Strided queries are also tracked backwards. The trackers share what they encode.

    Args:
        model: the tracker.
        resolution: (height, width) that videos are resized to.
        evaluation: query modes, iterations, support grids, whether points are tracked one by one, visibility
            threshold and convention of coordinates.
    """
    predictor = _predictor(model, resolution, evaluation)
    encode = VideoEncoder(model, resolution, next(model.parameters()).device)
    chosen: dict[str, AnyPredictor] = {"first": predictor, "strided": BidirectionalPredictor(predictor)}
    return {
        mode: VideoTracker(
            encode, chosen[mode], evaluation.visibility_threshold, CONVENTIONS[evaluation.coords]
        )
        for mode in evaluation.query_modes
    }


def _predictor(
    model: Tracker, resolution: tuple[int, int], evaluation: Evaluation
) -> Predictor | SinglePointPredictor:
    grid, iterations = evaluation.support_grid, evaluation.iterations
    if evaluation.single_point:
        return SinglePointPredictor(model, resolution, grid, evaluation.local_grid, iterations)
    return Predictor(model, resolution, grid, iterations)
