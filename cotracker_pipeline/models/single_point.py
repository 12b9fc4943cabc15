"""Evaluation as published in the papers: each point on its own, beside support points around it."""

import torch
from torch import Tensor

from cotracker_pipeline.models.cotracker2 import CoTracker2
from cotracker_pipeline.models.encoded_video import EncodedVideo, pixel_scale
from cotracker_pipeline.models.predictions import combined
from cotracker_pipeline.models.queries import check_queries, scaled_queries
from cotracker_pipeline.models.support_points import local_support, support_points
from cotracker_pipeline.models.tracker import Tracker


class SinglePointPredictor:
    """Track every query beside a regular grid of support points and another one around it.

    Queries do not see each other: each is a sample of its own, and the samples share the feature maps of the
    video, which is encoded once. As published, CoTracker2 tracks from the frame of the query on, and has the
    support points there; CoTracker3 tracks the whole video, with the support points on its first frame.

    Args:
        model: the tracker.
        resolution: (height, width) that videos are resized to.
        support_grid: side of the grid over the image; 0 for none.
        local_grid: side of the grid over 50x50 pixels around the query; 0 for none.
        iterations: refinement iterations per window.
        at_a_time: queries that are tracked at a time, at most. Bounds memory, and changes nothing else; on
            two cores four are a tenth faster than twelve, whose activations leave the caches.
    """

    def __init__(
        self,
        model: Tracker,
        resolution: tuple[int, int],
        support_grid: int = 5,
        local_grid: int = 8,
        iterations: int = 6,
        at_a_time: int = 4,
    ) -> None:
        self.model = model.eval()
        self.resolution = resolution
        self.support_grid = support_grid
        self.local_grid = local_grid
        self.iterations = iterations
        self.at_a_time = at_a_time
        self.from_query_on = isinstance(model, CoTracker2)

    @torch.inference_mode()
    def __call__(self, video: EncodedVideo, queries: Tensor) -> tuple[Tensor, Tensor]:
        """As ``predictors.Predictor``; what a track has no frames for stays 0."""
        scale = pixel_scale(video.size, self.resolution).to(queries)
        queries = scaled_queries(queries, scale)
        batch, frames = video.maps.shape[:2]
        check_queries(queries, frames)
        coords = queries.new_zeros(batch, frames, queries.shape[1], 2)
        visibility = queries.new_zeros(batch, frames, queries.shape[1])
        for sample in range(batch):
            maps, points = video.maps[sample, None], queries[sample]
            starts = points[:, 0] * self.from_query_on
            for start in starts.unique().int().tolist():
                [members] = torch.nonzero(starts == start, as_tuple=True)
                for some in members.split(self.at_a_time):
                    found = self._track(maps[:, start:], points[some] - points.new_tensor([start, 0, 0]))
                    coords[sample, start:, some], visibility[sample, start:, some] = found
        return coords / scale, visibility

    def _track(self, maps: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
        """Positions (T, n, 2) and visibility (T, n) of n points (n, 3) in a clip."""
        grid = support_points(self.support_grid, self.resolution).to(points)
        around = local_support(self.local_grid, points[:, 1:])
        samples = torch.cat([points[:, None], around, grid.expand(len(points), -1, -1)], dim=1)
        coords, *probabilities, _ = self.model.track(maps, samples, self.iterations)
        return coords[:, :, 0].transpose(0, 1), combined(probabilities)[:, :, 0].T
