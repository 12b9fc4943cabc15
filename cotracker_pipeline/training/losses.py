"""Losses of CoTracker2 over windows and iterations.

``corrected`` mends two errors of the published trainer: the coordinate and visibility losses are divided by
the number of tracks although they are means already (and summed over windows), and the visibility loss takes
probabilities for logits, so that it cannot reach zero. ``published`` keeps both.
"""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from cotracker_pipeline.models.predictions import WindowPredictions

#: How many entries of a mask a mean is taken over: where a batch is divided, those of its other parts, too.
Total = Callable[[Tensor], Tensor]

#: Weight of an iteration relative to the next one.
ITERATION_DECAY = 0.8
#: Weight of the visibility loss relative to the coordinate loss in pixels.
VISIBILITY_WEIGHT = 10.0


class LossTerms(NamedTuple):
    """Scalars: the total, what it is the weighted sum of, and confidence where the model has one."""

    total: Tensor
    coordinate: Tensor
    visibility: Tensor
    confidence: Tensor | None = None


def tracking_loss(
    predictions: WindowPredictions,
    trajectory: Tensor,
    visibility: Tensor,
    valid: Tensor,
    kind: Literal["corrected", "published"] = "corrected",
    total: Total = torch.sum,
) -> LossTerms:
    """The training loss of one batch.

    Args:
        predictions: of the model called with ``is_train=True``.
        trajectory: (B, T, N, 2) true positions in pixel indices.
        visibility: (B, T, N) boolean or 0..1.
        valid: (B, T, N) boolean or 0..1, where the position is known.
        kind: which form of the loss.
        total: what masked entries are counted by.
    """
    valid = valid.float() * predictions.mask
    visibility = visibility.float()
    spans = window_spans(predictions.coords)
    coordinate = torch.stack(
        [
            sequence_loss(iterations, trajectory[:, span], valid[:, span], total=total)
            for iterations, span in zip(predictions.coords, spans, strict=True)
        ]
    )
    scores = predictions.visibility_logits if kind == "corrected" else predictions.visibility
    balanced = torch.stack(
        [
            balanced_cross_entropy(score, visibility[:, span], valid[:, span], total)
            for score, span in zip(scores, spans, strict=True)
        ]
    )
    if kind == "published":
        tracks = trajectory.shape[2]
        coordinate_loss, visibility_loss = coordinate.sum() / tracks, balanced.sum() / tracks
    else:
        coordinate_loss, visibility_loss = coordinate.mean(), balanced.mean()
    return LossTerms(coordinate_loss + VISIBILITY_WEIGHT * visibility_loss, coordinate_loss, visibility_loss)


def sequence_loss(
    predictions: Sequence[Tensor],
    target: Tensor,
    valid: Tensor,
    distance: Callable[[Tensor], Tensor] = torch.abs,
    total: Total = torch.sum,
) -> Tensor:
    """Distance of one window's iterations from the truth, later iterations weighing more.

    Args:
        predictions: per iteration (B, S, N, 2).
        target: (B, S, N, 2).
        valid: (B, S, N) weights 0..1.
        distance: of a difference along one axis.
        total: what masked entries are counted by.
    """
    distances = torch.stack(
        [masked_mean(distance(prediction - target).mean(dim=-1), valid, total) for prediction in predictions]
    )
    age = torch.arange(len(predictions) - 1, -1, -1, dtype=distances.dtype, device=distances.device)
    return (distances * ITERATION_DECAY**age).mean()


def balanced_cross_entropy(logits: Tensor, target: Tensor, valid: Tensor, total: Total = torch.sum) -> Tensor:
    """Cross-entropy of visibility, visible and hidden frames weighing the same.

    Args:
        logits, target, valid: (B, S, N); target and valid 0..1.
        total: what masked entries are counted by.
    """
    visible = (target > 0.95).to(logits.dtype)
    hidden = (target < 0.05).to(logits.dtype)
    loss = F.softplus(-logits * (2 * visible - 1))
    return masked_mean(loss, visible * valid, total) + masked_mean(loss, hidden * valid, total)


def masked_mean(values: Tensor, mask: Tensor, total: Total = torch.sum) -> Tensor:
    """Mean of ``values`` where ``mask`` is 1, or their part of that of ``total``; zero for an empty mask."""
    return (values * mask).sum() / (1e-6 + total(mask))


def window_spans(coords: Sequence[Sequence[Tensor]]) -> list[slice]:
    """Frames of every window of predictions (B, n, N, 2); they overlap by half, only the last may be cut."""
    length = coords[0][0].shape[1]
    starts = [index * (length // 2) for index in range(len(coords))]
    return [slice(start, start + length) for start in starts]
