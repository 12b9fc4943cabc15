"""CoTracker3 offline: one window over the whole clip, tracked in both directions."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from cotracker_pipeline.models.correlation import build_pyramid
from cotracker_pipeline.models.cotracker3 import CoTracker3, Tracked, unrefined
from cotracker_pipeline.models.precision import autocast
from cotracker_pipeline.models.queries import scaled_queries


class CoTracker3Offline(CoTracker3):
    """Refines all frames of a clip at once, those before a track's query too.

    Args:
        window_len: frames that the table of time embeddings is made for; for others it is interpolated.
        **options: of ``CoTracker3``.
    """

    def __init__(self, window_len: int = 60, **options: Any) -> None:
        super().__init__(window_len, **options)

    def windows(self, frames: int) -> list[range]:
        """One: the clip."""
        return [range(frames)]

    def trained_frames(self, queries: Tensor, frames: int) -> Tensor:
        """All."""
        return torch.ones_like(queries[:, None, :, 0], dtype=torch.bool).expand(-1, frames, -1)

    def track(
        self,
        maps: Tensor,
        queries: Tensor,
        iters: int = 4,
        is_train: bool = False,
        active_tracks: Sequence[int] | None = None,
    ) -> Tracked:
        """As ``Tracker``; all tracks are active."""
        del active_tracks
        with autocast(self.strategy.precision, maps.device):
            states = self._track(maps, queries, iters)
        mask = self.trained_frames(queries, maps.shape[1]) if is_train else None
        return self._tracked(states[-1], [states], mask)

    def _track(self, maps: Tensor, queries: Tensor, iters: int) -> list[Tensor]:
        """The state (B, T, N, 4) after each iteration."""
        scaled = scaled_queries(queries, 1 / self.stride)
        pyramid = build_pyramid(maps, self.corr_levels)
        support = self.corr_mlp.support(pyramid, scaled)
        state = unrefined(self._estimate(maps, scaled, 0, support, None))
        return self._refine(state, (), support, [level.flatten(0, 1) for level in pyramid], iters)
