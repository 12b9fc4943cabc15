"""CoTracker3: what its two trackers, online and offline, share."""

from collections.abc import Sequence
from typing import Literal

import torch
from einops import rearrange
from torch import Tensor

from cotracker_pipeline.config import Strategy
from cotracker_pipeline.models.attention import Mask
from cotracker_pipeline.models.correlation_embedding import CORRELATION_EMBEDDINGS
from cotracker_pipeline.models.embeddings import (
    MOTION_WIDTH,
    embed_motion,
    relative_motion,
    resized_time_table,
    time_table,
)
from cotracker_pipeline.models.encoder import Encoder, unit_length
from cotracker_pipeline.models.first_estimate import FIRST_ESTIMATES
from cotracker_pipeline.models.predictions import ConfidentPredictions
from cotracker_pipeline.models.recomputation import recompute_if
from cotracker_pipeline.models.tracker import Tracker
from cotracker_pipeline.models.transformer import ConfidentUpdateTransformer

#: coords, visibility, confidence and, in training, the predictions.
Tracked = tuple[Tensor, Tensor, Tensor, ConfidentPredictions | None]


class CoTracker3(Tracker):
    """The architecture; with the defaults its state dict is that of the published checkpoints.

    What is refined is the *state* of a track in a frame: position (x, y) in feature pixels, visibility logit,
    confidence logit.

    Args:
        window_len: frames that the table of time embeddings is made for.
        stride: pixels of the image per feature pixel; height and width of a video are multiples of it.
        num_virtual_tracks: tracks that carry attention between the others.
        model_resolution: (height, width) of the images that motion is measured by.
        corr_radius, corr_levels: correlation neighbourhood (2r+1)² on each level of the pyramid.
        strategy: how to compute; never changes what is computed.
        feature_dim, encoder_widths, hidden_size, num_heads, depth: sizes. A correlation is embedded as
            2·feature_dim channels.
        first_estimate: where a track starts in frames that no window has seen: "query", where it was queried
            or last seen (published), or "matching", the best match of its feature near the frame before.
    """

    updateformer: ConfidentUpdateTransformer
    predictions = ConfidentPredictions

    def __init__(
        self,
        window_len: int,
        stride: int = 4,
        num_virtual_tracks: int = 64,
        model_resolution: tuple[int, int] = (384, 512),
        corr_radius: int = 3,
        corr_levels: int = 4,
        strategy: Strategy = Strategy(),  # noqa: B008  immutable
        *,
        feature_dim: int = 128,
        encoder_widths: tuple[int, int, int, int, int] = (64, 64, 96, 128, 128),
        hidden_size: int = 384,
        num_heads: int = 8,
        depth: int = 3,
        first_estimate: Literal["query", "matching"] = "query",
    ) -> None:
        super().__init__(Encoder(feature_dim, stride, encoder_widths), strategy)
        self.window_len = window_len
        self.corr_levels = corr_levels
        self.map_size = (model_resolution[1] / stride, model_resolution[0] / stride)
        self.first_estimate = FIRST_ESTIMATES[first_estimate]()
        self.token_width = 2 + corr_levels * 2 * feature_dim + MOTION_WIDTH
        self.corr_mlp = CORRELATION_EMBEDDINGS[strategy.correlation](
            corr_radius, hidden_size, 2 * feature_dim, strategy.checkpoint
        )
        self.updateformer = ConfidentUpdateTransformer(
            self.token_width, hidden_size, num_heads, depth, num_virtual_tracks, strategy
        )
        self.register_buffer("time_emb", time_table(window_len, self.token_width))
        self.time_emb: Tensor

    def _features(self, images: Tensor) -> Tensor:
        return unit_length(self.fnet(images))

    def _estimate(
        self, maps: Tensor, queries: Tensor, start: int, support: Sequence[Tensor], before: Tensor | None
    ) -> Tensor:
        """(B, S, N, 2): where tracks start, from maps (B, S, C, H, W) of the frames from ``start`` on.

        ``queries`` (B, N, 3) in feature pixels, ``support`` their surroundings; ``before`` (B, n, N, 2) is
        what the window before found.
        """
        features = support[0][:, :, support[0].shape[2] // 2]
        # as if each channel had a variance of 1, not the feature a length of 1: the best match stands out
        features = features * features.shape[-1]
        return self.first_estimate(maps, queries[..., 1:], queries[..., 0] - start, features, before)

    def _refine(
        self, state: Tensor, mask: Mask, support: list[Tensor], pyramid: list[Tensor], iters: int
    ) -> list[Tensor]:
        """The state (B, S, N, 4) after each iteration; ``pyramid``: levels (B·S, C, H_l, W_l)."""
        states = []
        for _ in range(iters):
            state = recompute_if(
                "iteration" in self.strategy.checkpoint, self._iterate, state, mask, support, pyramid
            )
            states.append(state)
        return states

    def _iterate(self, state: Tensor, mask: Mask, support: list[Tensor], pyramid: list[Tensor]) -> Tensor:
        coords, logits = state.split([2, 2], dim=-1)
        coords = coords.detach()
        tokens = self._tokens(coords, logits, support, pyramid)
        delta = recompute_if("transformer" in self.strategy.checkpoint, self._update, tokens, mask)
        return torch.cat([coords, logits], dim=-1) + rearrange(delta, "b n s d -> b s n d")

    def _tokens(self, coords: Tensor, logits: Tensor, support: list[Tensor], pyramid: list[Tensor]) -> Tensor:
        """(B, N, S, token_width) of positions and logits (B, S, N, 2)."""
        coords, logits = coords.transpose(1, 2), logits.transpose(1, 2)
        motion = relative_motion(coords) / coords.new_tensor(self.map_size).repeat(2)
        correlation = self.corr_mlp(pyramid, support, coords)
        tokens = torch.cat([logits, correlation, embed_motion(motion)], dim=-1)
        return tokens + resized_time_table(self.time_emb, coords.shape[2])

    def _tracked(self, state: Tensor, windows: list[list[Tensor]], mask: Tensor | None) -> Tracked:
        """What the model returns: the final state (B, T, N, 4), and those of every window and iteration.

        ``mask``: (B, T, N) boolean, the frames whose positions are trained; None when not in training.
        """
        coords = state[..., :2] * self.stride
        visibility, confidence = state[..., 2:].sigmoid().unbind(dim=-1)
        if mask is None:
            return coords, visibility, confidence, None
        predictions = ConfidentPredictions(
            [[each[..., :2] * self.stride for each in states] for states in windows],
            [[each[..., 2] for each in states] for states in windows],
            [[each[..., 3] for each in states] for states in windows],
            mask,
        )
        return coords, visibility, confidence, predictions


def unrefined(estimate: Tensor) -> Tensor:
    """The state (B, S, N, 4) of tracks at estimated positions (B, S, N, 2): nothing known of visibility."""
    return torch.cat([estimate, torch.zeros_like(estimate)], dim=-1)
