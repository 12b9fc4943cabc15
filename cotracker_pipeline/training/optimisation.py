"""Optimiser and learning-rate schedule of the published training."""

from collections.abc import Mapping
from types import MappingProxyType

from torch import nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import OneCycleLR

from cotracker_pipeline.config import Recipe, Strategy
from cotracker_pipeline.training.frugal_adamw import HostAdamW, OneByOneAdamW

OPTIMISERS: Mapping[str, type[AdamW]] = MappingProxyType(
    {"foreach": AdamW, "one-by-one": OneByOneAdamW, "host": HostAdamW}
)


def make_optimiser(
    model: nn.Module,
    recipe: Recipe,
    strategy: Strategy = Strategy(),  # noqa: B008  immutable
) -> tuple[AdamW, OneCycleLR]:
    """AdamW over all parameters, and a linear one-cycle schedule with 5 % of warm-up.

    The published schedule is 100 steps longer than its 50,000 steps of training; here it ends with the last
    step, so that short trainings are annealed too.
    """
    optimiser = OPTIMISERS[strategy.optimiser](
        model.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay, eps=1e-8
    )
    # torch divides by the lengths of the rise and of the fall: two steps and one at least
    total_steps = max(recipe.steps, 3)
    schedule = OneCycleLR(
        optimiser,
        max_lr=recipe.learning_rate,
        total_steps=total_steps,
        pct_start=max(0.05, 2 / total_steps),
        anneal_strategy="linear",
        cycle_momentum=False,
    )
    return optimiser, schedule
