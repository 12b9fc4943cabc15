"""CoTracker2: joint point tracking over sliding windows with iterative refinement."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from einops import rearrange, repeat
from torch import Tensor, nn

from cotracker_pipeline.config import Strategy
from cotracker_pipeline.models.active_tracks import first_tracks, nothing_to_hide, with_left_out
from cotracker_pipeline.models.attention import Mask
from cotracker_pipeline.models.correlation import Correlation
from cotracker_pipeline.models.embeddings import (
    DISPLACEMENT_WIDTH,
    embed_displacement,
    position_table,
    time_table,
)
from cotracker_pipeline.models.encoder import Encoder
from cotracker_pipeline.models.first_estimate import FIRST_ESTIMATES
from cotracker_pipeline.models.local_correlation import LocalCorrelation
from cotracker_pipeline.models.precision import autocast, computed_dtype
from cotracker_pipeline.models.predictions import WindowPredictions
from cotracker_pipeline.models.queries import scaled_queries
from cotracker_pipeline.models.recomputation import recompute, recompute_if
from cotracker_pipeline.models.sampling import sample_maps, sample_volume
from cotracker_pipeline.models.transformer import UpdateTransformer
from cotracker_pipeline.models.windowed import Found, WindowedTracker
from cotracker_pipeline.models.windows import carry, overwrite

#: Visibility logit that every track starts with.
INITIAL_VISIBILITY = 10.0

CORRELATIONS: Mapping[str, type[Correlation]] = MappingProxyType(
    {"volume": Correlation, "local": LocalCorrelation}
)


#: Predictions (B, n, N, 2) of every window and iteration, visibility logits (B, n, N) of every window.
Windows = tuple[list[list[Tensor]], list[Tensor]]


class WindowState(NamedTuple):
    """Where a window starts from: all in feature pixels and logits, (B, S, N, ·)."""

    coords: Tensor
    visibility: Tensor
    features: Tensor
    track_mask: Tensor
    active: Tensor


class CoTracker2(WindowedTracker):
    """The published architecture; with the defaults its state dict is that of the published checkpoints.

    Args:
        window_len: frames of a sliding window, even; windows overlap by half.
        stride: pixels of the image per feature pixel.
        num_virtual_tracks: tracks that carry attention between the others.
        model_resolution: (height, width) of the images that the position table covers.
        corr_radius, corr_levels: correlation neighbourhood (2r+1)² on each level of the pyramid.
        use_track_mask: feed "this frame needs an update" as a token channel; without it the channel is zero.
        use_attention_mask: hide tracks from attention in the windows before their query.
        strategy: how to compute; never changes what is computed.
        feature_dim, encoder_widths, hidden_size, num_heads, depth: sizes.
        first_estimate: where a track starts in frames that no window has seen: "query", where it was queried
            or last seen (published), or "matching", the best match of its feature near the frame before.
    """

    probabilities = 1
    predictions = WindowPredictions

    def __init__(
        self,
        window_len: int = 8,
        stride: int = 4,
        num_virtual_tracks: int = 64,
        model_resolution: tuple[int, int] = (384, 512),
        corr_radius: int = 3,
        corr_levels: int = 4,
        use_track_mask: bool = True,
        use_attention_mask: bool = True,
        strategy: Strategy = Strategy(),  # noqa: B008  immutable
        *,
        feature_dim: int = 128,
        encoder_widths: tuple[int, int, int, int, int] = (64, 64, 96, 128, 128),
        hidden_size: int = 384,
        num_heads: int = 8,
        depth: int = 6,
        first_estimate: Literal["query", "matching"] = "query",
    ) -> None:
        super().__init__(Encoder(feature_dim, stride, encoder_widths), strategy)
        self.window_len = window_len
        self.corr_levels = corr_levels
        self.use_track_mask = use_track_mask
        self.use_attention_mask = use_attention_mask
        self.first_estimate = FIRST_ESTIMATES[first_estimate]()
        self.token_width = token_width(corr_radius, corr_levels, feature_dim)

        self.correlation = CORRELATIONS[strategy.correlation](corr_radius)
        self.updateformer = UpdateTransformer(
            self.token_width, 2 + feature_dim, hidden_size, num_heads, depth, num_virtual_tracks, strategy
        )
        self.norm = nn.GroupNorm(1, feature_dim)
        self.track_feat_updater = nn.Sequential(nn.Linear(feature_dim, feature_dim), nn.GELU())
        self.vis_predictor = nn.Sequential(nn.Linear(feature_dim, 1))
        height, width = model_resolution[0] // stride, model_resolution[1] // stride
        self.register_buffer("time_emb", time_table(window_len, self.token_width))
        self.register_buffer("pos_emb", position_table(height, width, self.token_width))
        self.time_emb: Tensor
        self.pos_emb: Tensor

    def track(
        self,
        maps: Tensor,
        queries: Tensor,
        iters: int = 4,
        is_train: bool = False,
        active_tracks: Sequence[int] | None = None,
    ) -> tuple[Tensor, Tensor, WindowPredictions | None]:
        """As the forward pass, from the feature maps that ``encode`` made of the video.

        Returns:
            coords, visibility and in training the ``WindowPredictions``, as the forward pass.
        """
        with autocast(self.strategy.precision, maps.device):
            tracked = self._track_queried(maps, iters, queries, active_tracks)
        coords, logits, (window_coords, window_logits) = tracked
        if not is_train:
            return coords, logits.sigmoid(), None
        mask = self.trained_frames(queries, maps.shape[1])
        return coords, logits.sigmoid(), WindowPredictions(window_coords, window_logits, mask)

    def _track(
        self, maps: Tensor, iters: int, queries: Tensor, counts: Sequence[int] | None = None
    ) -> tuple[Tensor, Tensor, Windows]:
        """Coords (B, T, N, 2) in pixels, visibility logits (B, T, N), and both per window."""
        batch, frames, tracks = len(queries), maps.shape[1], queries.shape[1]
        maps = self._filled(maps)
        query_features = self._query_features(maps, queries)
        coords = queries.new_zeros(batch, frames, tracks, 2)
        logits = queries.new_zeros(batch, frames, tracks)
        window_coords, window_logits = [], []
        for index, (start, stop) in enumerate((each.start, each.stop) for each in self.windows(frames)):
            count = counts[index] if counts else tracks
            end = min(stop, frames)
            overlap = slice(start, start + self.window_len // 2)
            predictions, visibility = self._track_window(
                start,
                queries[:, :count],
                first_tracks(query_features, count, 1),
                maps[:, start:stop],
                (coords[:, overlap, :count], logits[:, overlap, :count]) if start else None,
                iters,
            )
            predictions = [
                with_left_out(prediction[:, : end - start], queries[:, None, count:, 1:])
                for prediction in predictions
            ]
            visibility = with_left_out(visibility[:, : end - start], logits[:, :1, count:])
            window_coords.append(predictions)
            window_logits.append(visibility)
            # later windows read these
            coords = overwrite(coords, start, predictions[-1])
            logits = overwrite(logits, start, visibility)
        return coords, logits, (window_coords, window_logits)

    def query_features(self, maps: Tensor, queries: Tensor) -> list[Tensor]:
        """As ``WindowedTracker``."""
        with autocast(self.strategy.precision, maps.device):
            return [self._query_features(maps, queries)]

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
        shared = None if before is None else (before.coords, before.logits[..., 0])
        with autocast(self.strategy.precision, maps.device):
            predictions, logits = self._track_window(window.start, queries, features[0], maps, shared, iters)
        return Found(predictions[-1], logits[..., None])

    def _features(self, images: Tensor) -> Tensor:
        return self.correlation.layout(self.fnet(images))

    def _query_features(self, maps: Tensor, queries: Tensor) -> Tensor:
        """The feature at each query: (B, N, C)."""
        points = rearrange(scaled_queries(queries, 1 / self.stride), "(v k) n x -> v (k n) x", v=len(maps))
        features = sample_volume(rearrange(maps, "v t c h w -> v c t h w"), points)
        return rearrange(features, "v (k n) c -> (v k) n c", n=queries.shape[1])

    def _track_window(
        self,
        start: int,
        queries: Tensor,
        features: Tensor,
        maps: Tensor,
        before: tuple[Tensor, Tensor] | None,
        iters: int,
    ) -> tuple[list[Tensor], Tensor]:
        """As ``_refine``, from the start of the window.

        ``before``: coords (B, S/2, N, 2) in pixels and visibility logits (B, S/2, N) in the frames that it
        shares with the window before.
        """
        coords, logits = (None, None) if before is None else (before[0] / self.stride, before[1])
        estimate = self.first_estimate(
            maps, queries[..., 1:] / self.stride, queries[..., 0] - start, features, coords
        )
        state = self._window_state(start, queries[..., 0], estimate, features, logits)
        if "iteration" in self.strategy.checkpoint:
            return self._refine_recomputed(maps, state, iters)
        return self._refine(maps, state, iters)

    def _window_state(
        self,
        start: int,
        query_frames: Tensor,
        coords: Tensor,
        query_features: Tensor,
        logits: Tensor | None,
    ) -> WindowState:
        """Initial state of the window at ``start``, at estimated positions ``coords`` (B, S, N, 2).

        ``logits``: visibility (B, S/2, N) at the end of the window before, from which started tracks go on.
        """
        frames = start + torch.arange(self.window_len, device=query_frames.device)
        overlap = 0 if logits is None else self.window_len // 2
        visibility = torch.full_like(coords[..., :1], INITIAL_VISIBILITY)
        if logits is not None:
            started = (query_frames < start + overlap)[:, None, :, None]
            visibility = torch.where(started, carry(logits[..., None], self.window_len), visibility)
        active = repeat(query_frames < start + self.window_len, "b n -> b s n", s=self.window_len)
        features = active[..., None] * query_features[:, None]
        needs_update = (query_frames[:, None] <= frames[None, :, None]) & (frames >= start + overlap)[
            None, :, None
        ]
        return WindowState(coords, visibility, features, needs_update[..., None], active)

    def _refine(self, maps: Tensor, state: WindowState, iters: int) -> tuple[list[Tensor], Tensor]:
        """Refine one window: ``iters`` predictions (B, S, N, 2) in pixels and visibility logits (B, S, N)."""
        pyramid = self.correlation.pyramid(maps, self.corr_levels)
        position = self._position(state.coords[:, 0])
        embedding = position[:, :, None] + self.time_emb[:, None]
        mask = self._mask(state)
        coords, features = state.coords, state.features
        predictions = []
        for _ in range(iters):
            coords, features = self._iterate(
                coords.detach(), features, state.visibility, embedding, state.track_mask, mask, pyramid
            )
            predictions.append(coords * self.stride)
        return predictions, self._visibility(features)

    def _refine_recomputed(self, maps: Tensor, state: WindowState, iters: int) -> tuple[list[Tensor], Tensor]:
        """As ``_refine``; of an iteration only its state is kept."""
        constants = (maps, state.track_mask, self._mask(state))
        start = state.coords[:, :1].expand_as(state.coords)
        joined = torch.cat([state.coords, start, state.visibility, state.features], dim=-1)
        predictions = []
        for _ in range(iters):
            joined = recompute(self._iterate_joined, joined, *constants)
            predictions.append(joined[..., :2] * self.stride)
        return predictions, self._visibility(joined[..., 5:])

    def _iterate_joined(self, joined: Tensor, maps: Tensor, track_mask: Tensor, mask: Mask) -> Tensor:
        """``_iterate`` of one tensor (B, S, N, 2 + 2 + 1 + C) to such a one: coords, those that the window
        started from, visibility and features.
        """
        pyramid = self.correlation.pyramid(maps, self.corr_levels)
        coords, start, visibility, features = joined.split([2, 2, 1, joined.shape[-1] - 5], dim=-1)
        embedding = self._position(start[:, 0])[:, :, None] + self.time_emb[:, None]
        coords, features = self._iterate(
            coords.detach(), features, visibility, embedding, track_mask, mask, pyramid
        )
        return torch.cat([coords, start, visibility, features], dim=-1)

    def _position(self, coords: Tensor) -> Tensor:
        """The embedding (B, N, token_width) of positions (B, N, 2) in feature pixels."""
        if self.strategy.skip_unused:
            return sample_maps(self.pos_emb, coords.flatten(0, 1)[None]).view(*coords.shape[:2], -1)
        # the published code keeps a copy of the table per window; the plain computation costs the same
        return sample_maps(self.pos_emb.repeat(len(coords), 1, 1, 1), coords)

    def _mask(self, state: WindowState) -> Mask:
        if self.strategy.skip_unused and (not self.use_attention_mask or nothing_to_hide(state.active[:, 0])):
            return ()
        active = state.active if self.use_attention_mask else torch.ones_like(state.active)
        return self.updateformer.mask(active, computed_dtype(self.strategy.precision, state.coords.dtype))

    def _visibility(self, features: Tensor) -> Tensor:
        """Logits (B, S, N), never in low precision."""
        logits = self.vis_predictor(features)[..., 0]
        return logits.to(torch.promote_types(logits.dtype, torch.float32))

    def _iterate(
        self,
        coords: Tensor,
        features: Tensor,
        visibility: Tensor,
        embedding: Tensor,
        track_mask: Tensor,
        mask: Mask,
        pyramid: list[Tensor],
    ) -> tuple[Tensor, Tensor]:
        """One refinement: new coords (B, S, N, 2) in feature pixels, new features (B, S, N, C)."""
        tokens = self._tokens(pyramid, coords, features, track_mask, visibility) + embedding
        delta = recompute_if("transformer" in self.strategy.checkpoint, self._update, tokens, mask)
        delta = rearrange(delta, "b n s d -> b s n d")
        return coords + delta[..., :2], features + self._feature_update(delta[..., 2:])

    def _tokens(
        self, pyramid: list[Tensor], coords: Tensor, features: Tensor, track_mask: Tensor, visibility: Tensor
    ) -> Tensor:
        """(B, N, S, token_width) tokens of one iteration."""
        track_mask = track_mask if self.use_track_mask else torch.zeros_like(track_mask)
        tokens = torch.cat(
            [
                embed_displacement(coords - coords[:, :1]),
                self.correlation(pyramid, features, coords),
                features,
                track_mask.to(features.dtype),
                visibility,
            ],
            dim=-1,
        )
        tokens = F.pad(tokens, (0, self.token_width - tokens.shape[-1]))
        return rearrange(tokens, "b s n d -> b n s d")

    def _feature_update(self, delta: Tensor) -> Tensor:
        """(B, S, N, C) change of the features, normalised per track and frame."""
        flat = delta.reshape(-1, delta.shape[-1])
        return self.track_feat_updater(self.norm(flat)).reshape(delta.shape)


def token_width(corr_radius: int, corr_levels: int, feature_dim: int) -> int:
    """Channels of a token: displacement, correlation, feature, track mask and visibility.

    Rounded up to a multiple of 4, which the position table needs (456 for radius 3, 360 for radius 2).
    """
    width = DISPLACEMENT_WIDTH + corr_levels * (2 * corr_radius + 1) ** 2 + feature_dim + 2
    return width + -width % 4
