"""Two ways of computing attention. Masks mean the same in both: a query that may see nothing attends to all
keys equally.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

#: CUDA's kernels want the rows of a bias to begin at multiples of this many elements.
ALIGNMENT = 16

#: What is known of the active tracks of a window, made once for all of its layers and iterations.
Mask = Sequence[Tensor]


class Attention(nn.Module, ABC):
    """Multi-head attention with separate projections of queries and of keys and values."""

    def __init__(self, hidden_size: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.to_q = nn.Linear(hidden_size, hidden_size)
        self.to_kv = nn.Linear(hidden_size, 2 * hidden_size)
        self.to_out = nn.Linear(hidden_size, hidden_size)

    @staticmethod
    @abstractmethod
    def mask(active: Tensor, dtype: torch.dtype) -> Mask:
        """From the active tracks (B, S, N) boolean of a window, for queries of ``dtype``."""

    @staticmethod
    @abstractmethod
    def keys(mask: Mask) -> Any:
        """What ``forward`` needs so that tracks are seen, as keys, only where they are active."""

    @staticmethod
    @abstractmethod
    def queries(mask: Mask) -> Any:
        """What ``forward`` needs so that tracks see, as queries, nothing where they are not active."""

    @abstractmethod
    def forward(self, x: Tensor, context: Tensor, allowed: Any = None) -> Tensor:
        """Attend from ``x`` to ``context``.

        Args:
            x: (B, Q, D) query tokens.
            context: (B, K, D) key tokens.
            allowed: of ``keys`` or ``queries``; None when every query may see every key.

        Returns:
            (B, Q, D).
        """


class ExplicitAttention(Attention):
    """The published computation: logits, softmax and a product, and a bias on the logits."""

    @staticmethod
    def mask(active: Tensor, dtype: torch.dtype) -> Mask:
        """As it is."""
        del dtype
        return (active,)

    @staticmethod
    def keys(mask: Mask) -> Tensor:
        """(B·S, 1, N) boolean."""
        return rearrange(mask[0], "b s n -> (b s) 1 n")

    @staticmethod
    def queries(mask: Mask) -> Tensor:
        """(B·S, N, 1) boolean."""
        return rearrange(mask[0], "b s n -> (b s) n 1")

    def forward(self, x: Tensor, context: Tensor, allowed: Tensor | None = None) -> Tensor:
        """As ``Attention``; ``allowed`` is boolean and broadcastable to (B, Q, K)."""
        q = rearrange(self.to_q(x), "b n (h d) -> b h n d", h=self.num_heads)
        k, v = rearrange(self.to_kv(context), "b n (two h d) -> two b h n d", two=2, h=self.num_heads)
        logits = torch.matmul(q, k.transpose(-1, -2)) * q.shape[-1] ** -0.5
        if allowed is not None:
            # so large that it absorbs the logits; minus infinity would make NaN
            logits = logits + attention_bias(allowed, logits.dtype, torch.finfo(logits.dtype).min)[:, None]
        out = torch.matmul(logits.softmax(dim=-1), v)
        return self.to_out(rearrange(out, "b h n d -> b n (h d)"))


class FusedAttention(Attention):
    """``scaled_dot_product_attention``: logits are never kept; the bias is broadcast over heads and queries.

    A fused kernel makes zeros or NaN of a query that sees nothing. So such a query is set to zero and sees
    everything: its logits are equal, and so is its attention.
    """

    @staticmethod
    def mask(active: Tensor, dtype: torch.dtype) -> Mask:
        """The bias of the keys (B·S, 1, 1, N), and which frames (B·S, 1, 1, 1) and tracks (B·S, 1, N, 1) see
        something.
        """
        active = rearrange(active, "b s n -> (b s) n")
        seen = active.any(dim=-1, keepdim=True)
        padding = -active.shape[-1] % ALIGNMENT
        bias = attention_bias(F.pad(active | ~seen, (0, padding)), dtype, -torch.inf)
        return bias[:, None, None, : active.shape[-1]], seen[:, None, None], active[:, None, :, None]

    @staticmethod
    def keys(mask: Mask) -> tuple[Tensor, Tensor]:
        """The queries that see something, and the bias."""
        return mask[1], mask[0]

    @staticmethod
    def queries(mask: Mask) -> tuple[Tensor, None]:
        """The queries that see something; they see everything."""
        return mask[2], None

    def forward(
        self, x: Tensor, context: Tensor, allowed: tuple[Tensor, Tensor | None] | None = None
    ) -> Tensor:
        """As ``Attention``."""
        q = rearrange(self.to_q(x), "b n (h d) -> b h n d", h=self.num_heads)
        k, v = rearrange(self.to_kv(context), "b n (two h d) -> two b h n d", two=2, h=self.num_heads)
        seeing, bias = allowed or (None, None)
        out = _fused(q if seeing is None else q * seeing, k, v, bias)
        return self.to_out(rearrange(out, "b h n d -> b n (h d)"))


ATTENTIONS: Mapping[str, type[Attention]] = MappingProxyType(
    {"explicit": ExplicitAttention, "fused": FusedAttention}
)


def attention_bias(allowed: Tensor, dtype: torch.dtype, elsewhere: float) -> Tensor:
    """0 where allowed, ``elsewhere`` where not."""
    bias = torch.zeros(allowed.shape, dtype=dtype, device=allowed.device)
    return bias.masked_fill(~allowed, elsewhere)


def _fused(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None) -> Tensor:
    """(B, h, Q, d) attends to (B, h, K, d)."""
    if bias is not None:
        bias = bias.expand(*q.shape[:-1], k.shape[-2])
    if q.is_meta:
        # left to itself, attention on meta writes the logits out; CUDA calls this
        keeps = torch.is_grad_enabled() and q.requires_grad
        return torch.ops.aten._scaled_dot_product_efficient_attention(q, k, v, bias, keeps)[0]
    if q.is_cuda:
        # of the fused kernels the one for all dtypes and biases, so that what is kept does not depend on them
        with sdpa_kernel([SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH], set_priority=True):
            return F.scaled_dot_product_attention(q, k, v, bias)
    return F.scaled_dot_product_attention(q, k, v, bias)
