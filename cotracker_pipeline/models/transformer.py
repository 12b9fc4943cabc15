"""The update transformer: attention over time, and over tracks by way of virtual tracks."""

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn


class Attention(nn.Module):
    """Multi-head attention with separate projections of queries and of keys and values."""

    def __init__(self, hidden_size: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.to_q = nn.Linear(hidden_size, hidden_size)
        self.to_kv = nn.Linear(hidden_size, 2 * hidden_size)
        self.to_out = nn.Linear(hidden_size, hidden_size)

    def forward(self, x: Tensor, context: Tensor, allowed: Tensor | None = None) -> Tensor:
        """Attend from ``x`` to ``context``.

        Args:
            x: (B, Q, D) query tokens.
            context: (B, K, D) key tokens.
            allowed: boolean, broadcastable to (B, Q, K). A query that may see nothing attends to all keys
                equally: the bias is so large that it absorbs the logits.

        Returns:
            (B, Q, D).
        """
        q = rearrange(self.to_q(x), "b n (h d) -> b h n d", h=self.num_heads)
        k, v = rearrange(self.to_kv(context), "b n (two h d) -> two b h n d", two=2, h=self.num_heads)
        logits = torch.matmul(q, k.transpose(-1, -2)) * q.shape[-1] ** -0.5
        if allowed is not None:
            logits = logits + attention_bias(allowed, logits.dtype)[:, None]
        out = torch.matmul(logits.softmax(dim=-1), v)
        return self.to_out(rearrange(out, "b h n d -> b n (h d)"))


def attention_bias(allowed: Tensor, dtype: torch.dtype) -> Tensor:
    """0 where allowed, minus the largest finite number elsewhere (minus infinity would make NaN)."""
    bias = torch.zeros(allowed.shape, dtype=dtype, device=allowed.device)
    return bias.masked_fill(~allowed, torch.finfo(dtype).min)


class Mlp(nn.Module):
    """Two linear layers with GELU (tanh approximation) between them."""

    def __init__(self, hidden_size: int, ratio: int = 4) -> None:
        super().__init__()
        self.fc1 = nn.Linear(hidden_size, ratio * hidden_size)
        self.fc2 = nn.Linear(ratio * hidden_size, hidden_size)

    def forward(self, x: Tensor) -> Tensor:
        """(..., D) to (..., D)."""
        return self.fc2(F.gelu(self.fc1(x), approximate="tanh"))


class SelfBlock(nn.Module):
    """Pre-norm self-attention and MLP."""

    def __init__(self, hidden_size: int, num_heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(hidden_size, eps=1e-6, elementwise_affine=False)
        self.norm2 = nn.LayerNorm(hidden_size, eps=1e-6, elementwise_affine=False)
        self.attn = Attention(hidden_size, num_heads)
        self.mlp = Mlp(hidden_size)

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, D) to (B, N, D)."""
        normed = self.norm1(x)
        x = x + self.attn(normed, normed)
        return x + self.mlp(self.norm2(x))


class CrossBlock(nn.Module):
    """Pre-norm cross-attention and MLP; the context has a norm of its own."""

    def __init__(self, hidden_size: int, num_heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(hidden_size, eps=1e-6, elementwise_affine=False)
        self.norm2 = nn.LayerNorm(hidden_size, eps=1e-6, elementwise_affine=False)
        self.norm_context = nn.LayerNorm(hidden_size, eps=1e-5)
        self.cross_attn = Attention(hidden_size, num_heads)
        self.mlp = Mlp(hidden_size)

    def forward(self, x: Tensor, context: Tensor, allowed: Tensor) -> Tensor:
        """(B, Q, D) attends to (B, K, D) where ``allowed``, broadcastable to (B, Q, K), is true."""
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
    """

    def __init__(
        self,
        input_width: int,
        output_width: int,
        hidden_size: int = 384,
        num_heads: int = 8,
        depth: int = 6,
        num_virtual_tracks: int = 64,
    ) -> None:
        super().__init__()
        self.input_transform = nn.Linear(input_width, hidden_size)
        # the spelling is part of the published checkpoints
        self.virual_tracks = nn.Parameter(torch.randn(1, num_virtual_tracks, 1, hidden_size))

        def self_blocks() -> nn.ModuleList:
            return nn.ModuleList(SelfBlock(hidden_size, num_heads) for _ in range(depth))

        def cross_blocks() -> nn.ModuleList:
            return nn.ModuleList(CrossBlock(hidden_size, num_heads) for _ in range(depth))

        self.time_blocks = self_blocks()
        self.space_virtual_blocks = self_blocks()
        self.space_point2virtual_blocks = cross_blocks()
        self.space_virtual2point_blocks = cross_blocks()
        self.flow_head = nn.Linear(hidden_size, output_width)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
        # from near zero, as the published code initialises it since CoTracker3: an untrained update leaves
        # positions where they are
        nn.init.trunc_normal_(self.flow_head.weight, std=1e-3)

    def forward(self, tokens: Tensor, active: Tensor) -> Tensor:
        """Update tokens.

        Args:
            tokens: (B, N, S, D) one token per track and frame.
            active: (B, S, N) boolean, the tracks that may be attended to.

        Returns:
            (B, N, S, output_width).
        """
        batch, tracks, frames, _ = tokens.shape
        x = self.input_transform(tokens)
        virtual = self.virual_tracks.expand(batch, -1, frames, -1)
        # under autocast the result is fp32, as CUDA's promotion of cat makes it
        x = torch.cat([x, virtual], dim=1)
        active = rearrange(active, "b s n -> (b s) n")
        for layer in range(len(self.time_blocks)):
            x = rearrange(x, "b n s d -> (b n) s d")
            x = self.time_blocks[layer](x)
            x = rearrange(x, "(b n) s d -> (b s) n d", b=batch)
            x = self._space_stage(layer, x[:, :tracks], x[:, tracks:], active)
            x = rearrange(x, "(b s) n d -> b n s d", b=batch)
        return self.flow_head(x[:, :tracks])

    def _space_stage(self, layer: int, points: Tensor, virtual: Tensor, active: Tensor) -> Tensor:
        """(B·S, N, D) tracks and (B·S, K, D) virtual tracks to (B·S, N + K, D)."""
        virtual = self.space_virtual2point_blocks[layer](virtual, points, active[:, None, :])
        virtual = self.space_virtual_blocks[layer](virtual)
        points = self.space_point2virtual_blocks[layer](points, virtual, active[:, :, None])
        return torch.cat([points, virtual], dim=1)
