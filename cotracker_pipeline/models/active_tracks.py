"""Leaving out tracks in the windows before their query, where nothing reads what is computed for them.

There they are hidden from attention as keys, and what they see as queries stays with them: all else is
computed for each track on its own. The losses leave their frames out, and the window that queries them starts
anew. So with the tracks in the order of their queries, each window needs only the first ones.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class QueryOrder(NamedTuple):
    """order: (B, N) the tracks in the order of their queries; inverse: (B, N) the place of each in it."""

    order: Tensor
    inverse: Tensor

    @classmethod
    def of(cls, query_frames: Tensor) -> "QueryOrder":
        """Of the frames (B, N) in which tracks are queried."""
        order = query_frames.argsort(dim=1, stable=True)
        return cls(order, order.argsort(dim=1))

    def sorted(self, queries: Tensor) -> Tensor:
        """Queries (B, N, 3) in this order."""
        return queries.take_along_dim(self.order[..., None], dim=1)

    def undone(self, values: Tensor) -> Tensor:
        """Values (B, T, N, ...) of tracks in this order, in the order in which they were given."""
        places = self.inverse.reshape(len(values), 1, -1, *(1 for _ in values.shape[3:]))
        return values.take_along_dim(places, dim=2)


def active_counts(query_frames: Tensor, ends: Iterable[int]) -> list[int]:
    """For each window, of which ``ends`` are the frames behind the last: how many tracks are queried before.

    Args:
        query_frames: (B, N); of several samples the largest number counts.
        ends: in any order.
    """
    limits = torch.tensor(list(ends), device=query_frames.device)
    return (query_frames < limits[:, None, None]).sum(dim=-1).amax(dim=-1).tolist()


def first_tracks(values: Tensor, count: int, dim: int) -> Tensor:
    """The first ``count`` tracks along ``dim``; no node of the graph where these are all."""
    return values if count == values.shape[dim] else values.narrow(dim, 0, count)


def with_left_out(values: Tensor, others: Tensor) -> Tensor:
    """Values (B, S, n, ·), and behind them any finite ones (B, 1, N - n, ·) for the tracks left out."""
    if not others.shape[2]:
        return values
    return torch.cat([values, others.expand(-1, values.shape[1], *others.shape[2:])], dim=2)


def at_least_one(counts: Sequence[int]) -> list[int]:
    """As no window is computed without tracks."""
    return [max(count, 1) for count in counts]
