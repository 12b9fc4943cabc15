"""The update transformer: attention over time, and over tracks by way of virtual tracks."""

from collections.abc import Callable, Collection
from typing import Any

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from cotracker_pipeline.config import Strategy
from cotracker_pipeline.models.attention import ATTENTIONS, Attention, Mask
from cotracker_pipeline.models.recomputation import recompute, recompute_if


class Mlp(nn.Module):
    """Two linear layers with GELU (tanh approximation) between them."""

    def __init__(self, hidden_size: int, ratio: int = 4) -> None:
        super().__init__()
        self.fc1 = nn.Linear(hidden_size, ratio * hidden_size)
        self.fc2 = nn.Linear(ratio * hidden_size, hidden_size)

    def forward(self, x: Tensor) -> Tensor:
        """(..., D) to (..., D)."""
        return self.fc2(F.gelu(self.fc1(x), approximate="tanh"))


class GeluRecomputed(Mlp):
    """Keeps what goes into GELU, not what comes out: the backward pass computes it again, and no product."""

    def forward(self, x: Tensor) -> Tensor:
        """(..., D) to (..., D)."""
        return recompute(self._contract, self.fc1(x))

    def _contract(self, hidden: Tensor) -> Tensor:
        # the recomputation ends where the last product would begin
        return self.fc2(F.gelu(hidden, approximate="tanh"))


class HiddenRecomputed(Mlp):
    """Keeps nothing of the hidden layer: the backward pass computes it again."""

    def forward(self, x: Tensor) -> Tensor:
        """(..., D) to (..., D)."""
        return recompute(super().forward, x)


def mlp_of(checkpoint: Collection[str]) -> type[Mlp]:
    """The MLP that recomputes what ``checkpoint`` names."""
    if "hidden" in checkpoint:
        return HiddenRecomputed
    return GeluRecomputed if "gelu" in checkpoint else Mlp


class SelfBlock(nn.Module):
    """Pre-norm self-attention and MLP."""

    def __init__(self, hidden_size: int, num_heads: int, attention: type[Attention], mlp: type[Mlp]) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(hidden_size, eps=1e-6, elementwise_affine=False)
        self.norm2 = nn.LayerNorm(hidden_size, eps=1e-6, elementwise_affine=False)
        self.attn = attention(hidden_size, num_heads)
        self.mlp = mlp(hidden_size)

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, D) to (B, N, D)."""
        normed = self.norm1(x)
        x = x + self.attn(normed, normed)
        return x + self.mlp(self.norm2(x))


class CrossBlock(nn.Module):
    """Pre-norm cross-attention and MLP; the context has a norm of its own."""

    def __init__(self, hidden_size: int, num_heads: int, attention: type[Attention], mlp: type[Mlp]) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(hidden_size, eps=1e-6, elementwise_affine=False)
        self.norm2 = nn.LayerNorm(hidden_size, eps=1e-6, elementwise_affine=False)
        self.norm_context = nn.LayerNorm(hidden_size, eps=1e-5)
        self.cross_attn = attention(hidden_size, num_heads)
        self.mlp = mlp(hidden_size)

    def forward(self, x: Tensor, context: Tensor, allowed: Any) -> Tensor:
        """(B, Q, D) attends to (B, K, D) where ``allowed``, of the attention, says so."""
        x = x + self.cross_attn(self.norm1(x), self.norm_context(context), allowed)
        return x + self.mlp(self.norm2(x))


class UpdateTransformer(nn.Module):
    """Alternates time blocks, one sequence per track, with a space stage, one set of tracks per frame.

    In the space stage the virtual tracks read the tracks, talk among themselves, and are read by the tracks:
    its cost grows with tracks times virtual tracks, not with tracks squared.

    Args:
        input_width: channels of the tokens.
        output_width: channels of the result.
        hidden_size, num_heads, depth, num_virtual_tracks: sizes.
        strategy: how to compute.
    """

    def __init__(
        self,
        input_width: int,
        output_width: int,
        hidden_size: int = 384,
        num_heads: int = 8,
        depth: int = 6,
        num_virtual_tracks: int = 64,
        strategy: Strategy = Strategy(),  # noqa: B008  immutable
    ) -> None:
        super().__init__()
        self.depth = depth
        self.checkpoint = strategy.checkpoint
        self.attention = ATTENTIONS[strategy.attention]
        mlp, sizes = mlp_of(strategy.checkpoint), (hidden_size, num_heads)
        self.input_transform = nn.Linear(input_width, hidden_size)
        # the spelling is part of the published checkpoints
        self.virual_tracks = nn.Parameter(torch.randn(1, num_virtual_tracks, 1, hidden_size))

        def self_blocks() -> nn.ModuleList:
            return nn.ModuleList(SelfBlock(*sizes, self.attention, mlp) for _ in range(depth))

        def cross_blocks() -> nn.ModuleList:
            return nn.ModuleList(
                CrossBlock(hidden_size, num_heads, self.attention, mlp) for _ in range(depth)
            )

        self.time_blocks = self_blocks()
        self.space_virtual_blocks = self_blocks()
        self.space_point2virtual_blocks = cross_blocks()
        self.space_virtual2point_blocks = cross_blocks()
        self.flow_head = nn.Linear(hidden_size, output_width)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
        _start_near_zero(self.flow_head)

    def mask(self, active: Tensor, dtype: torch.dtype) -> Mask:
        """What ``forward`` needs to know of the active tracks (B, S, N), boolean, of a window.

        Only they are attended to. ``dtype``: of the tokens when they attend.
        """
        return self.attention.mask(active, dtype)

    def forward(self, tokens: Tensor, mask: Mask) -> Tensor:
        """Update tokens.

        Args:
            tokens: (B, N, S, D) one token per track and frame.
            mask: of ``mask``; empty when all tracks are active.

        Returns:
            (B, N, S, output_width).
        """
        batch, tracks, frames, _ = tokens.shape
        virtual = self.virual_tracks.expand(batch, -1, frames, -1)
        layers = self._recomputed_layers if "block" in self.checkpoint else self._layers
        # under autocast the result of cat is fp32, as CUDA's promotion makes it
        x = layers(torch.cat([self.input_transform(tokens), virtual], dim=1), tracks, mask, range(self.depth))
        return self._heads(x[:, :tracks])

    def _heads(self, x: Tensor) -> Tensor:
        """(B, N, S, hidden_size) to (B, N, S, output_width)."""
        return self.flow_head(x)

    def _recomputed_layers(self, x: Tensor, tracks: int, mask: Mask, layers: range) -> Tensor:
        """As ``_layers``, of which only what goes into each is kept."""
        for layer in layers:
            x = recompute(self._layer, layer, x, tracks, mask)
        return x

    def _layer(self, layer: int, x: Tensor, tracks: int, mask: Mask) -> Tensor:
        return self._layers(x, tracks, mask, range(layer, layer + 1))

    def _layers(self, x: Tensor, tracks: int, mask: Mask, layers: range) -> Tensor:
        """(B, N + K, S, D) to the same; the first ``tracks`` are no virtual ones."""
        batch = len(x)
        for layer in layers:
            x = rearrange(x, "b n s d -> (b n) s d")
            x = self._stage(self._time_stage, layer, x)
            x = rearrange(x, "(b n) s d -> (b s) n d", b=batch)
            x = self._stage(self._space_stage, layer, x[:, :tracks], x[:, tracks:], mask)
            x = rearrange(x, "(b s) n d -> b n s d", b=batch)
        return x

    def _stage(self, stage: Callable[..., Tensor], *inputs: Any) -> Tensor:
        return recompute_if("stage" in self.checkpoint, stage, *inputs)

    def _time_stage(self, layer: int, x: Tensor) -> Tensor:
        """(B·(N + K), S, D) to the same."""
        return self.time_blocks[layer](x)

    def _space_stage(self, layer: int, points: Tensor, virtual: Tensor, mask: Mask) -> Tensor:
        """(B·S, N, D) tracks and (B·S, K, D) virtual tracks to (B·S, N + K, D)."""
        keys, queries = (self.attention.keys(mask), self.attention.queries(mask)) if mask else (None, None)
        virtual = self.space_virtual2point_blocks[layer](virtual, points, keys)
        virtual = self.space_virtual_blocks[layer](virtual)
        points = self.space_point2virtual_blocks[layer](points, virtual, queries)
        return torch.cat([points, virtual], dim=1)


class ConfidentUpdateTransformer(UpdateTransformer):
    """As ``UpdateTransformer``, of motion, and by a head of their own visibility and confidence.

    Args:
        input_width: channels of the tokens.
        hidden_size, num_heads, depth, num_virtual_tracks: sizes.
        strategy: how to compute.
    """

    def __init__(
        self,
        input_width: int,
        hidden_size: int,
        num_heads: int,
        depth: int,
        num_virtual_tracks: int,
        strategy: Strategy,
    ) -> None:
        super().__init__(input_width, 2, hidden_size, num_heads, depth, num_virtual_tracks, strategy)
        self.vis_conf_head = nn.Linear(hidden_size, 2)
        nn.init.zeros_(self.vis_conf_head.bias)
        _start_near_zero(self.vis_conf_head)

    def _heads(self, x: Tensor) -> Tensor:
        return torch.cat([self.flow_head(x), self.vis_conf_head(x)], dim=-1)


def _start_near_zero(head: nn.Linear) -> None:
    """As the published code does since CoTracker3: an untrained update leaves things as they are."""
    nn.init.trunc_normal_(head.weight, std=1e-3)
