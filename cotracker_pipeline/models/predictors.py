"""Trackers that take a video and query points as users and benchmarks have them."""

import hashlib
import math
import os
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from cotracker_pipeline.config import Evaluation, Strategy
from cotracker_pipeline.data.coordinates import CONVENTIONS, RASTER, Convention
from cotracker_pipeline.models.checkpoints import load_model
from cotracker_pipeline.models.tracker import Tracker
from cotracker_pipeline.rungs import TRACKING


class EncodedVideo(NamedTuple):
    """What tracking needs of a video.

    maps: (B, T, C, H', W') feature maps; size: (height, width) of the video in pixels.
    """

    maps: Tensor
    size: tuple[int, int]

    def reversed(self) -> "EncodedVideo":
        """The same, played backwards."""
        return self._replace(maps=self.maps.flip(1))


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

    @torch.inference_mode()
    def encode(self, video: Tensor) -> EncodedVideo:
        """Encode a video (B, T, 3, H, W) RGB, 0..255."""
        height, width = video.shape[-2:]
        return EncodedVideo(self.model.encode(self._resize(video)), (height, width))

    @torch.inference_mode()
    def __call__(self, video: EncodedVideo, queries: Tensor) -> tuple[Tensor, Tensor]:
        """Track.

        Args:
            video: of ``encode``.
            queries: (B, N, 3) as (t, x, y) in pixel indices of the video.

        Returns:
            tracks (B, T, N, 2) pixel indices of the video, and visibility probabilities (B, T, N), times the
            confidence where the model has one. Frames before a query are unspecified.
        """
        scale = index_scale(video.size, self.resolution).to(queries)
        queries = torch.cat([queries[..., :1], queries[..., 1:] * scale], dim=-1)
        support = support_points(self.support_grid, self.resolution).to(queries)
        with_support = torch.cat([queries, support.expand(len(queries), -1, -1)], dim=1)
        coords, *probabilities, _ = self.model.track(video.maps, with_support, self.iterations)
        count = queries.shape[1]
        return coords[:, :, :count] / scale, math.prod(probabilities)[:, :, :count]

    def _resize(self, video: Tensor) -> Tensor:
        frames = F.interpolate(video.flatten(0, 1), self.resolution, mode="bilinear", align_corners=True)
        return frames.unflatten(0, video.shape[:2])


class BidirectionalPredictor:
    """A predictor that also runs on the reversed video, for the frames before each query."""

    def __init__(self, predictor: Predictor) -> None:
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


class VideoEncoder:
    """Encodes videos on a device, and the video of the last call only once."""

    def __init__(self, predictor: Predictor, device: torch.device | str) -> None:
        self.predictor = predictor
        self.device = torch.device(device)
        self._last: tuple[bytes, EncodedVideo] | None = None

    def __call__(self, video: np.ndarray) -> EncodedVideo:
        """Encode a video (T, H, W, 3) uint8 RGB."""
        frames = np.ascontiguousarray(video)
        # by content: an array that is filled again is another video
        name = hashlib.sha256(frames.data).digest() + repr(frames.shape).encode()
        if self._last is None or self._last[0] != name:
            images = torch.from_numpy(frames).to(self.device).float()
            self._last = name, self.predictor.encode(images.permute(0, 3, 1, 2)[None])
        return self._last[1]


class VideoTracker:
    """A predictor behind the interface of the benchmarks: numpy arrays and raster pixels."""

    def __init__(
        self,
        encode: VideoEncoder,
        predictor: Predictor | BidirectionalPredictor,
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
    """A tracker for each query mode, from a checkpoint of the train step, at the resolution it is made for.

    Strided queries are also tracked backwards. The trackers share what they encode.

    Args:
        checkpoint: a ``model.safetensors``.
        evaluation: query modes, iterations, support grid, visibility threshold and convention of coordinates.
        device: where the model runs.

    Raises:
        UserError: when the file is no such checkpoint.
    """
    loaded = load_model(checkpoint, Strategy(**TRACKING))
    predictor = Predictor(
        loaded.model.to(device), loaded.size.model_resolution, evaluation.support_grid, evaluation.iterations
    )
    encode = VideoEncoder(predictor, device)
    chosen: dict[str, Predictor | BidirectionalPredictor] = {
        "first": predictor,
        "strided": BidirectionalPredictor(predictor),
    }
    return {
        mode: VideoTracker(
            encode, chosen[mode], evaluation.visibility_threshold, CONVENTIONS[evaluation.coords]
        )
        for mode in evaluation.query_modes
    }


def index_scale(size: tuple[int, int], resolution: tuple[int, int]) -> Tensor:
    """Pixel indices of a video of ``size`` to those of the same at ``resolution``, (2,) factors of (x, y).

    size, resolution: (height, width) in pixels.
    """
    (height, width), (rows, columns) = size, resolution
    return torch.tensor([(columns - 1) / max(width - 1, 1), (rows - 1) / max(height - 1, 1)])


def support_points(side: int, resolution: tuple[int, int]) -> Tensor:
    """A regular grid of queries on frame 0, a 64th of the width away from the border.

    Args:
        side: points per row and column.
        resolution: (height, width) in pixels.

    Returns:
        (1, side², 3) float32 as (t, x, y), row by row.
    """
    height, width = resolution
    if side == 1:
        return torch.tensor([[[0.0, width / 2, height / 2]]])
    margin = width / 64
    y, x = torch.meshgrid(
        torch.linspace(margin, height - margin, side),
        torch.linspace(margin, width - margin, side),
        indexing="ij",
    )
    return torch.stack([torch.zeros_like(x), x, y], dim=-1).reshape(1, -1, 3)
