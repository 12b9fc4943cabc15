"""CoTracker3 online: sliding windows, each of which starts from what the one before has found."""

from collections.abc import Sequence
from typing import Any

import torch
from einops import repeat
from torch import Tensor

from cotracker_pipeline.models.active_tracks import first_tracks, nothing_to_hide, with_left_out
from cotracker_pipeline.models.attention import Mask
from cotracker_pipeline.models.correlation import build_pyramid
from cotracker_pipeline.models.cotracker3 import CoTracker3, Tracked, unrefined
from cotracker_pipeline.models.precision import autocast, computed_dtype
from cotracker_pipeline.models.queries import scaled_queries
from cotracker_pipeline.models.windowed import Found, WindowedTracker
from cotracker_pipeline.models.windows import carry, overwrite


class CoTracker3Online(WindowedTracker, CoTracker3):
    """Refines windows that overlap by half, from a clip's start to its end.

    Args:
        window_len: frames of a window, even.
        use_attention_mask: hide tracks from attention in the windows before their query. The published model
            computes this mask, but does not use it: its checkpoints want False.
        **options: of ``CoTracker3``.
    """

    probabilities = 2

    def __init__(self, window_len: int = 16, *, use_attention_mask: bool = True, **options: Any) -> None:
        super().__init__(window_len, **options)
        self.use_attention_mask = use_attention_mask

    def track(
        self,
        maps: Tensor,
        queries: Tensor,
        iters: int = 4,
        is_train: bool = False,
        active_tracks: Sequence[int] | None = None,
    ) -> Tracked:
        """As ``Tracker``."""
        with autocast(self.strategy.precision, maps.device):
            state, windows = self._track_queried(maps, iters, queries, active_tracks)
        mask = self.trained_frames(queries, maps.shape[1]) if is_train else None
        return self._tracked(state, windows, mask)

    def _track(
        self, maps: Tensor, iters: int, queries: Tensor, counts: Sequence[int] | None = None
    ) -> tuple[Tensor, list[list[Tensor]]]:
        """The final state (B, T, N, 4), and those (B, n, N, 4) of every window and iteration."""
        frames, tracks = maps.shape[1], queries.shape[1]
        pyramid = build_pyramid(self._filled(maps), self.corr_levels)
        queries = scaled_queries(queries, 1 / self.stride)
        support = self.corr_mlp.support(pyramid, queries)
        # what is returned of tracks that no window computes
        elsewhere = unrefined(queries[:, None, :, 1:])
        state = elsewhere.new_zeros(len(queries), frames, tracks, 4)
        windows = []
        for index, window in enumerate(self.windows(frames)):
            count = counts[index] if counts else tracks
            overlap = slice(window.start, window.start + self.window_len // 2)
            states = self._track_window(
                window,
                first_tracks(queries, count, 1),
                [first_tracks(features, count, 1) for features in support],
                [level[:, window.start : window.stop] for level in pyramid],
                first_tracks(state[:, overlap], count, 2) if window.start else None,
                iters,
            )
            shown = min(window.stop, frames) - window.start
            states = [with_left_out(each[:, :shown], elsewhere[:, :, count:]) for each in states]
            state = overwrite(state, window.start, states[-1])
            windows.append(states)
        return state, windows

    def query_features(self, maps: Tensor, queries: Tensor) -> list[Tensor]:
        """As ``WindowedTracker``."""
        with autocast(self.strategy.precision, maps.device):
            return self.corr_mlp.support(
                build_pyramid(maps, self.corr_levels), scaled_queries(queries, 1 / self.stride)
            )

    def track_window(
        self,
        window: range,
        queries: Tensor,
        features: list[Tensor],
        maps: Tensor,
        before: Found | None,
        iters: int,
    ) -> Found:
        """As ``WindowedTracker``."""
        shared = None if before is None else torch.cat([before.coords / self.stride, before.logits], dim=-1)
        with autocast(self.strategy.precision, maps.device):
            pyramid = build_pyramid(maps, self.corr_levels)
            *_, state = self._track_window(
                window, scaled_queries(queries, 1 / self.stride), features, pyramid, shared, iters
            )
        return Found(state[..., :2] * self.stride, state[..., 2:])

    def _track_window(
        self,
        window: range,
        queries: Tensor,
        support: list[Tensor],
        pyramid: list[Tensor],
        before: Tensor | None,
        iters: int,
    ) -> list[Tensor]:
        """The state (B, S, N, 4) of a window after each iteration.

        ``pyramid``: levels (V, S, C, H_l, W_l); ``before``: (B, S/2, N, 4), what the window before has found
        in the frames that they share.
        """
        found = None if before is None else before[..., :2]
        estimate = self._estimate(pyramid[0], queries, window.start, support, found)
        start = self._start(window, queries[..., 0], estimate, before)
        active = queries[..., 0] < window.stop
        visible = [features * active[..., None, None] for features in support]
        flat = [level.flatten(0, 1) for level in pyramid]
        return self._refine(start, self._mask(active, estimate.dtype), visible, flat, iters)

    def _start(self, window: range, query_frames: Tensor, estimate: Tensor, before: Tensor | None) -> Tensor:
        """The state that a window starts from: where a track has started, that of the window before."""
        if before is None:
            return unrefined(estimate)
        started = query_frames < window.start + self.window_len // 2
        logits = carry(before[..., 2:], self.window_len)
        return torch.cat([estimate, torch.where(started[:, None, :, None], logits, 0.0)], dim=-1)

    def _mask(self, active: Tensor, dtype: torch.dtype) -> Mask:
        """What attention needs to know of the active tracks (B, N) of a window."""
        if not self.use_attention_mask or (self.strategy.skip_unused and nothing_to_hide(active)):
            return ()
        frames = repeat(active, "b n -> b s n", s=self.window_len)
        return self.updateformer.mask(frames, computed_dtype(self.strategy.precision, dtype))
