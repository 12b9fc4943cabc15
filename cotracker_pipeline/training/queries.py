"""Query points of a training sample."""

import torch
from torch import Tensor

from cotracker_pipeline.config import Sampling
from cotracker_pipeline.models.queries import FARTHEST


def sample_training_queries(
    trajectory: Tensor,
    visibility: Tensor,
    generator: torch.Generator,
    sampling: Sampling = "first",
    samples: int | None = None,
    place: int = 0,
) -> Tensor:
    """Choose one visible frame of every track as its query.

    The first tracks get a uniformly random visible frame, the others their first visible one.

    Args:
        trajectory: (B, T, N, 2) pixel indices.
        visibility: (B, T, N) boolean.
        generator: CPU generator of the random frames.
        sampling: how many tracks are the first ones; both are published.
        samples: of the whole batch, if these are only a part of it: each is queried as in the whole.
        place: of the first of these in the whole batch.

    Returns:
        (B, N, 3) float32 queries as (t, x, y).

    Raises:
        ValueError: for a track that is never visible.
    """
    if not visibility.any(dim=1).all():
        raise ValueError("a track that is never visible cannot be queried; leave it out of the sample")
    frames = visibility.int().argmax(dim=1)
    drawn = tracks_drawn(visibility.shape[2], sampling)
    if drawn:
        batch = slice(place, place + len(visibility))
        # which numbers a sample gets does not depend on where the others are visible
        whole = visibility.new_ones(samples or len(visibility), visibility.shape[1], drawn)
        whole[batch] = visibility[:, :, :drawn]
        frames[:, :drawn] = _random_visible_frame(whole, generator)[batch]
    points = trajectory.gather(1, frames[:, None, :, None].expand(-1, 1, -1, 2))[:, 0]
    return torch.cat([frames[..., None].to(points.dtype), points], dim=-1)


def without_nonsense(queries: Tensor, trajectory: Tensor, valid: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Let samples count for nothing in which a position is not finite, or a query beyond 1500 pixels.

    As CoTracker3 is published: their queries become 1, and none of their positions is known. Positions that
    are not finite become 1, too, as they would outlive being masked.

    Args:
        queries: (B, N, 3) as (t, x, y).
        trajectory: (B, T, N, 2).
        valid: (B, T, N) boolean or 0..1.

    Returns:
        The three, changed where such a sample is.
    """
    sensible = (queries.abs() <= FARTHEST).flatten(1).all(dim=1)
    sensible &= trajectory.isfinite().flatten(1).all(dim=1)
    of_sample = sensible[:, None, None]
    return (
        torch.where(of_sample, queries, 1.0),
        torch.where(of_sample[..., None], trajectory, 1.0),
        valid * of_sample,
    )


def tracks_drawn(tracks: int, sampling: Sampling) -> int:
    """How many of ``tracks`` are queried in a random visible frame."""
    return tracks if sampling == "random" else tracks // 4


def _random_visible_frame(visibility: Tensor, generator: torch.Generator) -> Tensor:
    """(B, T, n) to (B, n)."""
    weights = visibility.transpose(1, 2).flatten(0, 1).float()
    chosen = torch.multinomial(weights, 1, generator=generator)
    return chosen.reshape(visibility.shape[0], visibility.shape[2])
