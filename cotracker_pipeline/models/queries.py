"""Queries: those that make no sense, and positions at another scale."""

import torch
from torch import Tensor

#: Pixels of the model's images beyond which no query lies, as published for training.
FARTHEST = 1500


def check_queries(queries: Tensor, frames: int | None = None) -> None:
    """Refuse queries that no point of a video can be meant by.

    Args:
        queries: (B, N, 3) as (t, x, y) in pixel indices of the images that the model gets.
        frames: of the video, where that is known.

    Raises:
        ValueError: unless each is finite, in a whole frame of the video, and at most 1500 pixels away from 0.
    """
    if queries.ndim != 3 or queries.shape[-1] != 3:
        raise ValueError(f"queries have shape {tuple(queries.shape)}; it must be (B, N, 3): t, x, y")
    when, where = queries[..., 0], queries[..., 1:]
    last = float("inf") if frames is None else frames - 1
    known = queries.isfinite().all(dim=-1)
    possible = known & (when >= 0) & (when <= last) & (when == when.round())
    sensible = possible & (where.abs() <= FARTHEST).all(dim=-1)
    if sensible.all():
        return
    sample, number = (~sensible).nonzero()[0].tolist()
    shown = ", ".join(f"{value:g}" for value in queries[sample, number].tolist())
    end = "" if frames is None else f", of 0 to {frames - 1},"
    raise ValueError(
        f"query {number} of sample {sample} is ({shown}); t must be the index of a whole frame{end} "
        f"and x and y numbers within {FARTHEST} pixels of the model's image; mend or remove it"
    )


def scaled_queries(queries: Tensor, scale: Tensor | float) -> Tensor:
    """Queries (B, N, 3) as (t, x, y), whose positions are multiplied by ``scale``."""
    return torch.cat([queries[..., :1], queries[..., 1:] * scale], dim=-1)
