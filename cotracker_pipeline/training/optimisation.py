"""Optimiser and learning-rate schedule of the published training."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

import torch
from torch import nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import OneCycleLR

from cotracker_pipeline.config import Recipe, Strategy
from cotracker_pipeline.training.frugal_adamw import HostAdamW, OneByOneAdamW

OPTIMISERS: Mapping[str, type[AdamW]] = MappingProxyType(
    {"foreach": AdamW, "one-by-one": OneByOneAdamW, "host": HostAdamW}
)

#: What torch calls the shapes of the schedule.
ANNEALING: Mapping[str, Literal["linear", "cos"]] = MappingProxyType({"linear": "linear", "cosine": "cos"})


def make_optimiser(
    model: nn.Module,
    recipe: Recipe,
    strategy: Strategy = Strategy(),  # noqa: B008  immutable
) -> tuple[AdamW, OneCycleLR]:
    """AdamW over all parameters, and a one-cycle schedule with 5 % of warm-up.

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
        anneal_strategy=ANNEALING[recipe.schedule],
        cycle_momentum=False,
    )
    return optimiser, schedule


def claim_step(optimiser: AdamW) -> None:
    """Make sure that the next step finds its memory: an optimiser that runs out of it midway has changed some
    of the parameters, and the step could not be repeated.

    Raises:
        torch.OutOfMemoryError: when it would not; nothing has changed then.
    """
    parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
    if parameters[0].is_cuda:
        # let go on return, but the allocator keeps it for the step
        _claimed = [torch.empty_like(parameter) for parameter in _allocated_in_step(optimiser, parameters)]


def _allocated_in_step(optimiser: AdamW, parameters: list[nn.Parameter]) -> list[nn.Parameter]:
    """Parameters as large as what the next step allocates: the averages, the first time, and temporaries."""
    largest = max(parameters, key=torch.numel)
    if isinstance(optimiser, HostAdamW):
        return [largest] * 4
    averages = [] if optimiser.state else parameters * 2
    return averages + ([largest] * 2 if isinstance(optimiser, OneByOneAdamW) else parameters * 2)
