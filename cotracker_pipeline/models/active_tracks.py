"""Leaving out tracks in the windows before their query, where nothing reads what is computed for them.

There they are hidden from attention as keys, and what they see as queries stays with them: all else is
computed for each track on its own. The losses leave their frames out, and the window that queries them starts
anew. So with the tracks in the order of their queries, each window needs only the first ones.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor

T = TypeVar("T")


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

    def undone(self, values: Any) -> Any:
        """Values (B, T, N, ...) of tracks in this order, in the order in which they were given.

        Of lists and tuples each part.
        """
        if isinstance(values, (list, tuple)):
            return type(values)(map(self.undone, values))
        places = self.inverse.reshape(len(values), 1, -1, *(1 for _ in values.shape[3:]))
        return values.take_along_dim(places, dim=2)


def tracked_when_queried(
    track: Callable[[Tensor, Sequence[int] | None], T],
    queries: Tensor,
    ends: Iterable[int],
    counts: Sequence[int] | None,
) -> T:
    """``track`` all queries, but in each window only those before its end.

    Args:
        track: of queries, and of how many to compute in each window (the first ones; all when None).
        queries: (B, N, 3).
        ends: of the windows, the frames behind the last.
        counts: how many queries are before them; counted unless on meta.

    Returns:
        What ``track`` does, tensors (B, T, N, ...) in lists and tuples.
    """
    if counts is None and not queries.is_meta:
        counts = active_counts(queries[..., 0], ends)
    order = QueryOrder.of(queries[..., 0])
    return order.undone(track(order.sorted(queries), None if counts is None else at_least_one(counts)))


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


def nothing_to_hide(active: Tensor) -> bool:
    """Whether attention needs no mask, of tracks (B, N) that are ``active`` where others are left out.

    Without gradients only all are looked at: predictions of a training step cannot know, and count the mask.
    """
    if len(active) == 1:
        return True
    return not (torch.is_grad_enabled() or active.is_meta) and bool(active.all())


def at_least_one(counts: Sequence[int]) -> list[int]:
    """As no window is computed without tracks."""
    return [max(count, 1) for count in counts]
