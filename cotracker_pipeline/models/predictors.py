"""Trackers that take a video and query points as users and benchmarks have them."""

import os

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from cotracker_pipeline.config import Evaluation, Strategy
from cotracker_pipeline.data.coordinates import index_to_raster, raster_to_index
from cotracker_pipeline.models.checkpoints import load_model
from cotracker_pipeline.models.cotracker2 import CoTracker2


class Predictor:
    """Track all queries jointly, beside a regular grid of support points on the first frame.

    Args:
        model: the tracker.
        resolution: (height, width) that videos are resized to.
        support_grid: side of the grid of support points; 0 for none.
        iterations: refinement iterations per window.
    """

    def __init__(
        self, model: CoTracker2, resolution: tuple[int, int], support_grid: int = 5, iterations: int = 6
    ) -> None:
        self.model = model.eval()
        self.resolution = resolution
        self.support_grid = support_grid
        self.iterations = iterations

    @torch.inference_mode()
    def __call__(self, video: Tensor, queries: Tensor) -> tuple[Tensor, Tensor]:
        """Track.

        Args:
            video: (B, T, 3, H, W) RGB, 0..255.
            queries: (B, N, 3) as (t, x, y) in pixel indices of the video.

        Returns:
            tracks (B, T, N, 2) pixel indices of the video, and visibility probabilities (B, T, N). Frames
            before a query are unspecified.
        """
        scale = self._scale(video)
        queries = torch.cat([queries[..., :1], queries[..., 1:] * scale], dim=-1)
        support = support_points(self.support_grid, self.resolution).to(queries)
        with_support = torch.cat([queries, support.expand(len(queries), -1, -1)], dim=1)
        coords, visibility, _ = self.model(self._resize(video), with_support, self.iterations)
        count = queries.shape[1]
        return coords[:, :, :count] / scale, visibility[:, :, :count]

    def _resize(self, video: Tensor) -> Tensor:
        frames = F.interpolate(video.flatten(0, 1), self.resolution, mode="bilinear", align_corners=True)
        return frames.unflatten(0, video.shape[:2])

    def _scale(self, video: Tensor) -> Tensor:
        """Pixel indices of the video to those of the resized one, (2,) as (x, y)."""
        height, width = video.shape[-2:]
        scales = [(self.resolution[1] - 1) / max(width - 1, 1), (self.resolution[0] - 1) / max(height - 1, 1)]
        return torch.tensor(scales, dtype=torch.float32, device=video.device)


class BidirectionalPredictor:
    """A predictor that also runs on the reversed video, for the frames before each query."""

    def __init__(self, predictor: Predictor) -> None:
        self.predictor = predictor

    def __call__(self, video: Tensor, queries: Tensor) -> tuple[Tensor, Tensor]:
        """As ``Predictor``; every frame is tracked."""
        last = video.shape[1] - 1
        tracks, visibility = self.predictor(video, queries)
        reversed_queries = torch.cat([last - queries[..., :1], queries[..., 1:]], dim=-1)
        backward, backward_visibility = self.predictor(video.flip(1), reversed_queries)
        frame = torch.arange(last + 1, device=video.device)
        before = frame[None, :, None] < queries[:, None, :, 0]
        tracks = torch.where(before[..., None], backward.flip(1), tracks)
        return tracks, torch.where(before, backward_visibility.flip(1), visibility)


class VideoTracker:
    """A predictor behind the interface of the benchmarks: numpy arrays and raster pixels."""

    def __init__(
        self,
        predictor: Predictor | BidirectionalPredictor,
        visibility_threshold: float,
        device: torch.device | str = "cpu",
    ) -> None:
        self.predictor = predictor
        self.visibility_threshold = visibility_threshold
        self.device = torch.device(device)

    def __call__(self, video: np.ndarray, queries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Track.

        Args:
            video: (T, H, W, 3) uint8 RGB.
            queries: (N, 3) as (t, x, y) in raster pixels of the video (pixel centres at +0.5).

        Returns:
            tracks (N, T, 2) float32 raster pixels, visible (N, T) boolean.
        """
        images = torch.from_numpy(np.ascontiguousarray(video)).to(self.device).float()
        points = torch.from_numpy(np.asarray(queries, dtype=np.float32)).to(self.device)
        points = torch.cat([points[:, :1], raster_to_index(points[:, 1:])], dim=-1)
        tracks, visibility = self.predictor(images.permute(0, 3, 1, 2)[None], points[None])
        visible = visibility[0].T.gt(self.visibility_threshold)
        raster = index_to_raster(tracks[0].transpose(0, 1))
        return raster.float().cpu().numpy(), visible.cpu().numpy()


def load_tracker(
    checkpoint: str | os.PathLike[str],
    evaluation: Evaluation,
    *,
    backward: bool = False,
    device: torch.device | str = "cpu",
) -> VideoTracker:
    """The tracker of a checkpoint that the train step wrote, at the resolution it was trained for.

    Args:
        checkpoint: a ``model.safetensors``.
        evaluation: iterations, support grid and visibility threshold.
        backward: also track the frames before each query.
        device: where the model runs.

    Raises:
        UserError: when the file is no such checkpoint.
    """
    loaded = load_model(checkpoint, Strategy())
    predictor = Predictor(
        loaded.model.to(device), loaded.size.model_resolution, evaluation.support_grid, evaluation.iterations
    )
    chosen = BidirectionalPredictor(predictor) if backward else predictor
    return VideoTracker(chosen, evaluation.visibility_threshold, device)


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
