"""The loss that a recipe trains, of whichever tracker."""

import torch
from torch import Tensor

from cotracker_pipeline.config import Recipe
from cotracker_pipeline.models.predictions import ConfidentPredictions, WindowPredictions
from cotracker_pipeline.training.confident_losses import confident_tracking_loss
from cotracker_pipeline.training.losses import LossTerms, Total, tracking_loss


def training_loss(
    predictions: WindowPredictions | ConfidentPredictions,
    trajectory: Tensor,
    visibility: Tensor,
    valid: Tensor,
    recipe: Recipe,
    total: Total = torch.sum,
) -> LossTerms:
    """The loss of one batch.

    Args:
        predictions: of the model called with ``is_train=True``.
        trajectory: (B, T, N, 2) true positions in pixel indices.
        visibility: (B, T, N) boolean or 0..1.
        valid: (B, T, N) boolean or 0..1, where the position is known.
        recipe: which form of the loss.
        total: what masked entries are counted by.
    """
    if isinstance(predictions, WindowPredictions):
        return tracking_loss(predictions, trajectory, visibility, valid, recipe.loss, total)
    return confident_tracking_loss(
        predictions,
        trajectory,
        visibility,
        valid,
        recipe.loss,
        recipe.position_loss,
        recipe.only_visible,
        total,
    )
