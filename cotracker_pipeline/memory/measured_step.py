"""A training step on tensors that have values, taken again and again as the training takes it."""

import time
from typing import NamedTuple

import torch
from torch import Tensor, nn

from cotracker_pipeline.config import Clip, ModelSize, Recipe, Strategy
from cotracker_pipeline.errors import UserError
from cotracker_pipeline.memory.assembly import assemble_step
from cotracker_pipeline.memory.step import Batch, TrainingStep
from cotracker_pipeline.models.compilation import compiled

#: Share of visible points in a batch.
VISIBLE = 0.8


class Case(NamedTuple):
    """What is measured: the arguments of ``assemble_step``, without the device."""

    recipe: Recipe
    strategy: Strategy
    clip: Clip
    model: ModelSize


def real_step(case: Case, device: str) -> TrainingStep:
    """The step of ``assemble_step`` on ``device``, on a batch with values (``fill_batch``), seeded."""
    torch.manual_seed(0)
    step = assemble_step(*case, device)
    compiled(step.model, case.strategy)
    fill_batch(step.batch)
    return step


def fill_batch(batch: Batch) -> None:
    """Give a batch of zeros values, in place: noise as video, and points that wander over it.

    The frames of the queries stay those of the prediction.
    """
    height, width = batch.video.shape[-2:]
    batch.video.uniform_(0, 255)
    fill_places(batch.queries, height, width)
    walks = torch.randn_like(batch.trajectory).cumsum(dim=1)
    frames = batch.queries[:, None, :, :1].long()
    batch.trajectory.copy_(batch.queries[:, None, :, 1:] + walks - walks.take_along_dim(frames, dim=1))
    batch.visibility.bernoulli_(VISIBLE)
    batch.valid.fill_(1)


def fill_places(queries: Tensor, height: int, width: int) -> None:
    """Places all over the frame, in place: queries (B, N, 3) as (t, x, y) in pixels."""
    queries[..., 1].uniform_(0, width - 1)
    queries[..., 2].uniform_(0, height - 1)


def time_steps(step: TrainingStep, count: int) -> tuple[float, ...]:
    """Take ``count`` steps; the seconds of each, from an idle device to an idle device.

    Raises:
        UserError: when the loss is no longer finite.
    """
    return tuple(_seconds(step) for _ in range(count))


def take_step(step: TrainingStep) -> None:
    """One optimiser step, as the training takes it; the gradients are freed at its end.

    Raises:
        UserError: when the loss is no longer finite.
    """
    loss = step.loss(step.model, step.batch)
    # the training looks at the loss here too, and so waits for the forward pass
    if not torch.isfinite(loss):
        raise UserError("the loss of the measured step is not finite; lower recipe.learning_rate")
    loss.backward()
    nn.utils.clip_grad_norm_(step.model.parameters(), step.largest_norm)
    step.optimiser.step()
    step.optimiser.zero_grad(set_to_none=True)


def synchronise(device: torch.device) -> None:
    """Wait until ``device`` is idle."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _seconds(step: TrainingStep) -> float:
    device = step.batch.video.device
    synchronise(device)
    start = time.perf_counter()
    take_step(step)
    synchronise(device)
    return time.perf_counter() - start
