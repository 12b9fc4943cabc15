"""A model from its sizes, its recipe and its strategy."""

import torch
from torch import nn

from cotracker_pipeline.config import ModelSize, Recipe, Strategy
from cotracker_pipeline.models.cotracker2 import CoTracker2


def build_model(size: ModelSize, recipe: Recipe, strategy: Strategy) -> CoTracker2:
    """The CoTracker2 that ``recipe`` trains at ``size``, computed by ``strategy``."""
    return CoTracker2(
        **size.model_dump(),
        corr_radius=recipe.corr_radius,
        use_track_mask=recipe.use_track_mask,
        use_attention_mask=recipe.use_attention_mask,
        strategy=strategy,
    )


def rebuild_model(model: nn.Module, size: ModelSize, recipe: Recipe, strategy: Strategy) -> CoTracker2:
    """A model that computes by ``strategy`` with the very parameters and buffers of ``model``."""
    with torch.device("meta"):
        rebuilt = build_model(size, recipe, strategy)
    rebuilt.load_state_dict(model.state_dict(keep_vars=True), assign=True)
    return rebuilt.train(model.training)
