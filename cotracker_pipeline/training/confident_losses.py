"""Losses of CoTracker3 over windows and iterations.

``corrected`` mends what the published trainer got wrong: occluded positions are compared by L1 although the
others are by Huber, visibility is trained where nothing is known of it, and confidence is divided by the
number of all points although only visible ones count. ``published`` keeps these. Both take logits, where the
published trainer takes probabilities, which once saturated give no gradient.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from cotracker_pipeline.models.predictions import ConfidentPredictions
from cotracker_pipeline.training.losses import LossTerms, Total, masked_mean, sequence_loss, window_spans

#: Weights of the loss of positions, in pixels, relative to those of visibility and of confidence.
VISIBLE_WEIGHT, OCCLUDED_WEIGHT = 0.05, 0.01
#: Pixels within which confidence says that a prediction is.
CONFIDENT_WITHIN = 12.0
#: Pixels up to which the Huber loss is a square.
HUBER_DELTA = 6.0


def huber(difference: Tensor) -> Tensor:
    """Half the square up to ``HUBER_DELTA`` pixels, linear beyond."""
    return F.huber_loss(difference, torch.zeros_like(difference), reduction="none", delta=HUBER_DELTA)


DISTANCES: Mapping[str, Callable[[Tensor], Tensor]] = MappingProxyType({"huber": huber, "l1": torch.abs})


def confident_tracking_loss(
    predictions: ConfidentPredictions,
    trajectory: Tensor,
    visibility: Tensor,
    valid: Tensor,
    kind: Literal["corrected", "published"] = "corrected",
    position_loss: Literal["huber", "l1"] = "huber",
    only_visible: bool = False,
    total: Total = torch.sum,
) -> LossTerms:
    """The training loss of one batch.

    Args:
        predictions: of the model called with ``is_train=True``.
        trajectory: (B, T, N, 2) true positions in pixel indices.
        visibility: (B, T, N) boolean or 0..1.
        valid: (B, T, N) boolean or 0..1, where the position is known.
        kind: which form of the loss.
        position_loss: how the positions of visible points are compared.
        only_visible: leave out the positions of occluded points.
        total: what masked entries are counted by.
    """
    valid = valid.float() * predictions.mask
    visibility = visibility.float()
    seen, everywhere = valid * visibility, torch.ones_like(valid)
    distance = occluded_distance = DISTANCES[position_loss]
    known, rated, shown = valid, seen, seen
    if kind == "published":
        occluded_distance = torch.abs
        known, rated, shown = everywhere, everywhere, visibility
    positions = VISIBLE_WEIGHT * _of_positions(predictions, trajectory, seen, distance, total)
    if not only_visible:
        hidden = valid * (1 - visibility)
        occluded = _of_positions(predictions, trajectory, hidden, occluded_distance, total)
        positions = positions + OCCLUDED_WEIGHT * occluded
    of_visibility = _of_visibility(predictions, visibility, known, total)
    of_confidence = _of_confidence(predictions, trajectory, shown, rated, total)
    return LossTerms(positions + of_visibility + of_confidence, positions, of_visibility, of_confidence)


def _of_positions(
    predictions: ConfidentPredictions,
    trajectory: Tensor,
    weights: Tensor,
    distance: Callable[[Tensor], Tensor],
    total: Total,
) -> Tensor:
    """Mean over windows of the weighted distances from the trajectory."""
    windows = zip(predictions.coords, window_spans(predictions.coords), strict=True)
    return torch.stack(
        [
            sequence_loss(coords, trajectory[:, span], weights[:, span], distance, total)
            for coords, span in windows
        ]
    ).mean()


def _of_visibility(
    predictions: ConfidentPredictions, visibility: Tensor, known: Tensor, total: Total
) -> Tensor:
    """Mean over windows and iterations of the cross-entropy where visibility is known."""
    windows = zip(predictions.visibility_logits, window_spans(predictions.coords), strict=True)
    return torch.stack(
        [
            masked_mean(cross_entropy(logits, visibility[:, span]), known[:, span], total)
            for iterations, span in windows
            for logits in iterations
        ]
    ).mean()


def _of_confidence(
    predictions: ConfidentPredictions, trajectory: Tensor, shown: Tensor, rated: Tensor, total: Total
) -> Tensor:
    """Mean over windows and iterations, and over what is ``rated``, of the cross-entropy where points are
    ``shown``.
    """
    spans = window_spans(predictions.coords)
    windows = zip(predictions.confidence_logits, predictions.coords, spans, strict=True)
    return torch.stack(
        [
            masked_mean(
                shown[:, span] * confidence_loss(logits, coords, trajectory[:, span]), rated[:, span], total
            )
            for iterations, positions, span in windows
            for logits, coords in zip(iterations, positions, strict=True)
        ]
    ).mean()


def confidence_loss(logits: Tensor, coords: Tensor, trajectory: Tensor) -> Tensor:
    """Cross-entropy (B, S, N) of logits (B, S, N) with whether coords (B, S, N, 2), in pixels, are near the
    trajectory.
    """
    error = (coords.detach() - trajectory).square().sum(dim=-1)
    return cross_entropy(logits, (error <= CONFIDENT_WITHIN**2).to(logits.dtype))


def cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """Of logits with targets 0..1, elementwise."""
    return F.binary_cross_entropy_with_logits(logits, target, reduction="none")
