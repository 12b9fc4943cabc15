"""Memory and time on a GPU, as PyTorch's allocator counts them."""

from pathlib import Path

import torch

from cotracker_pipeline.files import atomic_path
from cotracker_pipeline.memory.measured_inference import real_tracking, time_tracking
from cotracker_pipeline.memory.measured_step import Case, real_step, take_step, time_steps
from cotracker_pipeline.memory.measurement import InferencePeak, Measurement, attempt, free_memory
from cotracker_pipeline.memory.step import TrainingStep


def measure_step_on_cuda(case: Case, warm_up: int, steps: int, snapshot: Path | None = None) -> Measurement:
    """Measure a training step in the steady state.

    Args:
        case: what to measure.
        warm_up: steps before, at least 2: the first makes the optimiser's state, the second meets the blocks
            that the first one left.
        steps: steps that are timed, and over which peaks are taken.
        snapshot: file for the allocations of one more step, to be read by https://pytorch.org/memory_viz.

    Returns:
        With status "out of memory" when the card is too small.
    """
    return attempt(
        lambda: _measure_step(case, warm_up, steps, snapshot),
        lambda message: Measurement("out of memory", message),
    )


def measure_inference_on_cuda(case: Case, iterations: int) -> InferencePeak:
    """Measure tracking the recipe's number of tracks through one video without gradients, the second time."""
    return attempt(
        lambda: _measure_inference(case, iterations), lambda message: InferencePeak("out of memory", message)
    )


def _measure_step(case: Case, warm_up: int, steps: int, snapshot: Path | None) -> Measurement:
    free_memory()
    context = _outside_allocator()
    step = real_step(case, "cuda")
    time_steps(step, warm_up)
    steady = torch.cuda.memory_allocated()
    retries = torch.cuda.memory_stats()["num_alloc_retries"]
    torch.cuda.reset_peak_memory_stats()
    seconds = time_steps(step, steps)
    stats = torch.cuda.memory_stats()
    outside = _outside_allocator()
    if snapshot is not None:
        _write_snapshot(step, snapshot)
    return Measurement(
        "measured",
        peak_allocated_bytes=stats["allocated_bytes.all.peak"],
        peak_requested_bytes=stats["requested_bytes.all.peak"],
        peak_reserved_bytes=stats["reserved_bytes.all.peak"],
        steady_allocated_bytes=steady,
        context_bytes=context,
        outside_allocator_bytes=outside,
        allocation_retries=stats["num_alloc_retries"] - retries,
        step_seconds=seconds,
    )


def _measure_inference(case: Case, iterations: int) -> InferencePeak:
    free_memory()
    tracking = real_tracking(case, "cuda")
    time_tracking(tracking, iterations)
    steady = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    seconds = time_tracking(tracking, iterations)
    return InferencePeak(
        "measured",
        peak_allocated_bytes=torch.cuda.max_memory_allocated(),
        steady_allocated_bytes=steady,
        seconds=seconds,
    )


def _outside_allocator() -> int:
    """Bytes of the card that are taken, but not by PyTorch's allocator."""
    free, total = torch.cuda.mem_get_info()
    return total - free - torch.cuda.memory_reserved()


def _write_snapshot(step: TrainingStep, path: Path) -> None:
    torch.cuda.memory._record_memory_history(context="alloc", stacks="python")
    try:
        take_step(step)
        with atomic_path(path) as temporary:
            torch.cuda.memory._dump_snapshot(str(temporary))
    finally:
        torch.cuda.memory._record_memory_history(enabled=None)
