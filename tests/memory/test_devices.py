"""The same step on meta tensors and on real ones: every allocation and release, in order and to the byte.

Every variant of the default study is tried at a small size. Five things differ by design, and are made equal
or counted here:

- On a CPU the host is the device, so AdamW's step counters, which stay on the host, are counted too.
- Meta tensors follow CUDA's autocast lists; a CPU has lists of its own, and keeps the statistics of instance
  norm in bf16 where CUDA and meta keep them in fp32.

- Fused attention is a kernel of each device's own. Meta tensors take CUDA's; here it is written out.
- The kernels of local correlation keep other books on each device; here the volume stands in.
- An optimiser with its state on the host needs a host that is not the device.

A GPU does all of this as meta does.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pytest
import torch
from small_steps import CLIP, MODEL, STUDY, small_step

from cotracker_pipeline.config import Architecture
from cotracker_pipeline.memory.ledger import GRANULE
from cotracker_pipeline.memory.step import track_training_step
from cotracker_pipeline.memory.tracker import MemoryTracker
from cotracker_pipeline.models import cotracker2, tracker
from cotracker_pipeline.models.cuda_autocast import CudaAutocast

LOW = [name for name in STUDY.variants if STUDY.variant(name).strategy.precision == "bf16"]
FULL = [name for name in STUDY.variants if name not in LOW]

Story = list[tuple[int, int]]


@pytest.fixture
def track() -> Callable[..., MemoryTracker]:
    """Track a variant on a device. Steps are kept: what they hold would else be released in any order."""
    steps = []

    def run(name: str, device: str, *options: Any) -> MemoryTracker:
        steps.append(small_step(name, device, *options))
        return track_training_step(steps[-1])

    return run


@pytest.mark.parametrize("name", FULL)
def test_a_cpu_does_what_meta_does(track, name: str):
    meta, real = track(name, "meta"), track(name, "cpu")
    assert story(real, without=counters(real)) == story(meta)
    assert real.peak == meta.peak
    assert real.flops == meta.flops


@pytest.mark.parametrize("architecture", ["cotracker3-online", "cotracker3-offline"])
@pytest.mark.parametrize("name", ["baseline", "checkpoint-both", "balanced", "minimal"])
def test_of_cotracker3_too(track, name: str, architecture: str):
    meta, real = (track(name, device, True, architecture) for device in ("meta", "cpu"))
    assert story(real, without=counters(real, architecture)) == story(meta)
    assert real.peak == meta.peak
    assert real.flops == meta.flops


@pytest.mark.parametrize("name", LOW)
def test_a_cpu_does_what_meta_does_under_bf16(track, name: str, monkeypatch: pytest.MonkeyPatch):
    """With CUDA's lists on both; the statistics of instance norm differ, and nothing else."""
    for module in (cotracker2, tracker):
        monkeypatch.setattr(module, "autocast", cuda_autocast)
    meta, real = track(name, "meta"), track(name, "cpu")
    pairs = list(zip(story(meta), story(real, without=counters(real)), strict=True))
    assert all(on_meta[0] == on_cpu[0] for on_meta, on_cpu in pairs)
    differing = {(on_meta[1], on_cpu[1]) for on_meta, on_cpu in pairs if on_meta != on_cpu}
    channels = {*MODEL.encoder_widths, 2 * MODEL.feature_dim}
    statistics = {(rounded(4 * CLIP.frames * each), rounded(2 * CLIP.frames * each)) for each in channels}
    assert differing
    assert {tuple(map(abs, sizes)) for sizes in differing} <= statistics
    assert real.peak[2:] == meta.peak[2:]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("name", STUDY.variants)
def test_a_gpu_does_what_meta_does(track, name: str):
    """Nothing differs: AdamW's counters stay on the host, and autocast is CUDA's."""
    meta, real = track(name, "meta", False), track(name, "cuda", False)
    assert story(real) == story(meta)
    assert real.peak == meta.peak


def test_the_cpu_has_autocast_lists_of_its_own(track):
    """Why a CPU says nothing about bf16 on a GPU."""
    meta, real = track(LOW[0], "meta"), track(LOW[0], "cpu")
    assert story(real, without=counters(real)) != story(meta)


def story(tracker: MemoryTracker, without: frozenset[int] = frozenset()) -> Story:
    """(block, bytes) of every event; blocks are numbered in the order in which they come."""
    numbers: dict[int, int] = {}
    return [
        (numbers.setdefault(event.block, len(numbers)), event.bytes)
        for event in tracker.events
        if event.block not in without
    ]


def counters(tracker: MemoryTracker, architecture: Architecture = "cotracker2") -> frozenset[int]:
    """On a CPU: the blocks of AdamW's step counters, and of the one that is added to them.

    They are the first that the optimiser's step makes known.
    """
    start = tracker.ledger.phases[-1].start
    model = small_step("baseline", "meta", True, architecture).model
    parameters = sum(1 for _ in model.parameters())
    new = [event for event in tracker.events[start:] if event.bytes > 0][: 1 + parameters]
    assert {event.bytes for event in new} == {GRANULE}
    return frozenset(event.block for event in new)


def rounded(size: int) -> int:
    return -(-size // GRANULE) * GRANULE


def cuda_autocast(precision: str, device: torch.device) -> AbstractContextManager[object]:
    del device
    return CudaAutocast(torch.bfloat16) if precision == "bf16" else nullcontext()
