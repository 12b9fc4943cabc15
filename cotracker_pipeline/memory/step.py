"""One training step, as the training does it, under the memory tracker."""

from collections.abc import Callable, Collection, Hashable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from cotracker_pipeline.memory.components import BATCH, GRADIENTS, OPTIMISER, PARAMETERS
from cotracker_pipeline.memory.meta_kernels import MetaKernels
from cotracker_pipeline.memory.modules import ModuleTrace
from cotracker_pipeline.memory.repetition import MustRun, Repetition
from cotracker_pipeline.memory.tracker import Execute, MemoryTracker, call
from cotracker_pipeline.memory.workspaces import WorkspaceTracker

#: Shared by all steps: what an operator does on meta never changes.
_META_KERNELS = MetaKernels()


class Batch(NamedTuple):
    """A training batch: video (B, T, 3, H, W), queries (B, N, 3), trajectory (B, T, N, 2), visibility and
    valid (B, T, N), all float32.
    """

    video: Tensor
    queries: Tensor
    trajectory: Tensor
    visibility: Tensor
    valid: Tensor


class TrainingStep(NamedTuple):
    """What makes up a step.

    Attributes:
        model: on the device of the batch.
        batch: what it is trained on.
        loss: the scalar loss of the model on the batch.
        optimiser: over the model's parameters.
        largest_norm: of the clipped gradient.
        accumulates: whether it adds its gradients to those of a part of the batch that came before.
    """

    model: nn.Module
    batch: Batch
    loss: Callable[[nn.Module, Batch], Tensor]
    optimiser: Optimizer
    largest_norm: float
    accumulates: bool = False


def track_training_step(step: TrainingStep) -> MemoryTracker:
    """Run one step in the steady state (the optimiser has its state, gradients are freed) and track it.

    On a real device parameters are updated.
    """
    device = step.batch.video.device.type
    execute = _execution(device)
    with MemoryTracker(device, str, execute):
        _fill_optimiser_state(step)
    excluded: set[Hashable] = set()
    while True:
        try:
            return _track(step, execute, excluded)
        except MustRun as reason:
            excluded.add(reason.part)
            step.model.zero_grad(set_to_none=True)


def track_inference(model: nn.Module, video: Tensor, queries: Tensor, iterations: int) -> MemoryTracker:
    """Track ``model(video, queries, iterations)`` without gradients; cuDNN's workspaces are among the events.

    Args:
        model: on the device of the video.
        video: (B, T, 3, H, W).
        queries: (B, N, 3).
        iterations: refinement iterations.
    """
    device = video.device.type
    with ModuleTrace(model) as trace:
        tracker = WorkspaceTracker(device, trace.current, _execution(device))
        tracker.register(PARAMETERS, [*model.parameters(), *model.buffers()])
        tracker.register(BATCH, [video, queries])
        repetition = _repetition(model, tracker, trace, device)
        with torch.no_grad(), tracker, repetition, tracker.phase("forward"):
            model(video, queries, iterations)
    return tracker


def _track(step: TrainingStep, execute: Execute, excluded: Collection[Hashable]) -> MemoryTracker:
    device = step.batch.video.device.type
    with ModuleTrace(step.model) as trace, ExitStack() as hooks:
        tracker = MemoryTracker(device, trace.current, execute, trace)
        tracker.register(PARAMETERS, [*step.model.parameters(), *step.model.buffers()])
        tracker.register(OPTIMISER, _optimiser_state(step.optimiser))
        tracker.register(BATCH, step.batch)
        for parameter in step.model.parameters():
            hook = parameter.register_post_accumulate_grad_hook(_gradient_label(tracker))
            hooks.callback(hook.remove)
        if step.accumulates:
            tracker.register(GRADIENTS, _earlier_gradients(step.model))
        with tracker:
            _run(step, tracker, _repetition(step.model, tracker, trace, device, excluded))
    return tracker


def _run(step: TrainingStep, tracker: MemoryTracker, repetition: AbstractContextManager[object]) -> None:
    with repetition:
        with tracker.phase("forward"):
            loss = step.loss(step.model, step.batch)
        with tracker.phase("backward"), torch.autograd.set_multithreading_enabled(False):
            loss.backward()
    with tracker.phase("clip", OPTIMISER):
        nn.utils.clip_grad_norm_(step.model.parameters(), step.largest_norm)
    with tracker.phase("optimiser", OPTIMISER):
        step.optimiser.step()
        step.optimiser.zero_grad(set_to_none=True)


def _repetition(
    model: nn.Module,
    tracker: MemoryTracker,
    trace: ModuleTrace,
    device: str,
    excluded: Collection[Hashable] = (),
) -> AbstractContextManager[object]:
    return Repetition(model, tracker, trace, excluded) if device == "meta" else nullcontext()


def _execution(device: str) -> Execute:
    return _META_KERNELS if device == "meta" else call


def _fill_optimiser_state(step: TrainingStep) -> None:
    for group in step.optimiser.param_groups:
        # CUDA's default: all parameters at once, with temporaries of the size of all of them
        group["foreach"] = True
    for parameter in step.model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    step.optimiser.step()
    step.optimiser.zero_grad(set_to_none=True)


def _earlier_gradients(model: nn.Module) -> list[Tensor]:
    """Those that the first part of a batch leaves behind, as its sum has begun."""
    gradients = []
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
        gradients.append(parameter.grad)
    return gradients


def _optimiser_state(optimiser: Optimizer) -> list[Tensor]:
    """State as large as its parameter and on its device; the step counters stay on the host."""
    return [
        value
        for parameter, state in optimiser.state.items()
        for value in state.values()
        if isinstance(value, Tensor)
        and value.shape == parameter.shape
        and value.device.type == parameter.device.type
    ]


def _gradient_label(tracker: MemoryTracker) -> Callable[[Tensor], None]:
    def hook(parameter: Tensor) -> None:
        if parameter.grad is not None:
            tracker.register(GRADIENTS, [parameter.grad])

    return hook
