"""PyTorch's own memory tracker and its profiler, about the same steps.

Both count bytes as they are asked for, so the tracker's rounding is switched off here.
"""

from collections import Counter

import pytest
import torch
from small_steps import small_step
from torch.distributed._tools.mem_tracker import MemTracker
from torch.profiler import ProfilerActivity, profile

from cotracker_pipeline.memory import tracker as tracking
from cotracker_pipeline.memory.measured_step import take_step
from cotracker_pipeline.memory.step import TrainingStep, track_training_step
from cotracker_pipeline.memory.tracker import MemoryTracker

#: Bytes of a step counter of AdamW, float32.
COUNTER = 4
#: Bytes of a Python number as an operand, float64 or int64.
NUMBER = 8


@pytest.fixture(autouse=True)
def without_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "GRANULE", 1)


@pytest.mark.parametrize("name", ["baseline", "checkpoint-both"])
def test_mem_tracker_on_a_cpu(name: str):
    """It also counts AdamW's step counters, which stay on the host and are nothing that a GPU holds."""
    ours, theirs = both_opinions(small_step(name, "cpu"))
    counters = COUNTER * len(list(small_step(name, "meta").model.parameters()))
    assert theirs["Total"] == ours.peak.bytes + counters
    breakdown = ours.peak.breakdown
    assert theirs["PARAM"] + theirs["BUFFER"] == breakdown["parameters"]
    assert theirs["OPT"] == breakdown["optimiser"] + counters
    assert theirs["OTH"] == breakdown["batch"]
    assert theirs["GRAD"] == breakdown.get("gradients", 0)


def test_mem_tracker_on_meta():
    """It does not see the pairs of numbers that are copied from the host, such as the size of an image."""
    ours, theirs = both_opinions(small_step("baseline", "meta"))
    unseen = ours.peak.bytes - theirs["Total"]
    assert 0 <= unseen <= 4 * NUMBER
    assert unseen % NUMBER == 0


@pytest.mark.parametrize(
    "name", ["baseline", "tracks-144", "checkpoint-encoder", "checkpoint-transformer", "checkpoint-both"]
)
def test_the_profiler(name: str):
    """At the peak it has every block that the tracker has, and beside them only single numbers.

    These are operands such as the 2 in ``2 * x``, kept for the backward pass: on a GPU they are on the host.
    No peak of these is in a convolution: there the profiler would see what the kernel takes for itself too.
    """
    step = small_step(name, "cpu")
    ours = live_at_peak(since_the_forward_pass(track_training_step(step)))
    theirs = live_at_peak(profiled(step))
    numbers = theirs - ours
    assert not ours - theirs
    assert set(numbers) == {NUMBER}
    assert total(theirs) - total(ours) == NUMBER * numbers[NUMBER] < 0.001 * total(ours)


def both_opinions(step: TrainingStep) -> tuple[MemoryTracker, dict[str, int]]:
    """The tracker's, then MemTracker's bytes at its peak, by its own names."""
    ours = track_training_step(step)
    theirs = MemTracker()
    theirs.track_external(step.model, step.optimiser, *step.batch)
    with theirs:
        step.loss(step.model, step.batch).backward()
        torch.nn.utils.clip_grad_norm_(step.model.parameters(), step.largest_norm)
        step.optimiser.step()
        step.optimiser.zero_grad(set_to_none=True)
    peak = theirs.get_tracker_snapshot("peak")[step.batch.video.device]
    return ours, {getattr(kind, "name", kind): size for kind, size in peak.items()}


def since_the_forward_pass(tracker: MemoryTracker) -> list[int]:
    """The sizes of all allocations of the step, negative where they end."""
    first, last = tracker.ledger.phases[0].start, tracker.ledger.phases[-1].end
    return [event.bytes for event in tracker.events[first:last]]


def profiled(step: TrainingStep) -> list[int]:
    """The same as the profiler tells it."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        take_step(step)
    events = [event for event in profiler.profiler.kineto_results.events() if event.name() == "[memory]"]
    return [event.nbytes() for event in sorted(events, key=lambda event: event.start_ns())]


def live_at_peak(sizes: list[int]) -> Counter[int]:
    """How many blocks of which size there are at the first of the highest moments."""
    live: Counter[int] = Counter()
    most, at_most = 0, live
    now = 0
    for size in sizes:
        now += size
        live[abs(size)] += 1 if size > 0 else -1
        if now > most:
            most, at_most = now, live.copy()
    return +at_most


def total(blocks: Counter[int]) -> int:
    return sum(size * count for size, count in blocks.items())
