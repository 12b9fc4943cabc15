"""A model from its sizes, its recipe and its strategy."""

import torch
from torch import nn

from cotracker_pipeline.config import ModelSize, Recipe, Strategy
from cotracker_pipeline.models.cotracker2 import CoTracker2
from cotracker_pipeline.models.cotracker3_offline import CoTracker3Offline
from cotracker_pipeline.models.cotracker3_online import CoTracker3Online
from cotracker_pipeline.models.tracker import Tracker


def build_model(size: ModelSize, recipe: Recipe, strategy: Strategy) -> Tracker:
    """The tracker that ``recipe`` trains at ``size``, computed by ``strategy``."""
    sizes = {**size.model_dump(exclude={"architecture"}), "corr_radius": recipe.corr_radius}
    if size.architecture == "cotracker2":
        return CoTracker2(
            **sizes,
            use_track_mask=recipe.use_track_mask,
            use_attention_mask=recipe.use_attention_mask,
            strategy=strategy,
        )
    if size.architecture == "cotracker3-offline":
        return CoTracker3Offline(**sizes, strategy=strategy)
    if recipe.loss == "published":
        # it reads the visibility of tracks that are not yet queried
        strategy = strategy.model_copy(update={"skip_unused": False})
    return CoTracker3Online(**sizes, use_attention_mask=recipe.use_attention_mask, strategy=strategy)


def rebuild_model(model: nn.Module, size: ModelSize, recipe: Recipe, strategy: Strategy) -> Tracker:
    """A model that computes by ``strategy`` with the very parameters and buffers of ``model``."""
    with torch.device("meta"):
        rebuilt = build_model(size, recipe, strategy)
    rebuilt.load_state_dict(model.state_dict(keep_vars=True), assign=True)
    return rebuilt.train(model.training)
