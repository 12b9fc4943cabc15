"""What counts and until when: views, in-place operators, saved tensors, gradients, clipping, optimiser."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from cotracker_pipeline.memory.ledger import GRANULE, Phase
from cotracker_pipeline.memory.step import Batch, TrainingStep, track_training_step
from cotracker_pipeline.memory.timeline import all_moments
from cotracker_pipeline.memory.tracker import MemoryTracker

KIB = 1024
WIDTH = 96

#: Each makes one tensor of another one.
OPERATORS: dict[str, Callable[[Tensor], Tensor]] = {
    "new": lambda x: x * 2,
    "copy": lambda x: torch.cat([x, x]),
    "cast": lambda x: x.to(torch.float64).float(),
    "view": lambda x: x.view(-1, 1).flatten(),
    "part": lambda x: x[: len(x) // 2],
    "repeated view": lambda x: x.expand(3, -1)[0],
    "in place": lambda x: x.add_(1),
    "in place on a part": lambda x: x[1:].mul_(2),
    "alias": lambda x: x.detach(),
}
names = st.sampled_from(["delete", *OPERATORS])


@pytest.mark.parametrize("device", ["cpu", "meta"])
@settings(deadline=None)
@given(program=st.lists(st.tuples(names, st.integers(0, 100)), max_size=25))
def test_live_bytes_are_those_of_distinct_storages(device, program):
    with MemoryTracker(device, str) as tracker:
        tensors = [torch.zeros(300, device=device)]
        for name, place in program:
            place %= len(tensors)
            if name == "delete" and len(tensors) > 1:
                del tensors[place]
            elif name != "delete" and 4 <= len(tensors[place]) <= 4000:
                tensors.append(OPERATORS[name](tensors[place]))
            assert tracker.live_bytes == distinct_bytes(tensors)
        tensors.clear()
    assert tracker.live_bytes == 0


def distinct_bytes(tensors: list[Tensor]) -> int:
    storages = {tensor.untyped_storage()._cdata: tensor.untyped_storage().nbytes() for tensor in tensors}
    return sum(-(-size // GRANULE) * GRANULE for size in storages.values())


@pytest.fixture(params=["cpu", "meta"])
def device(request) -> str:
    return request.param


def test_what_is_saved_for_the_backward_pass_stays_until_it_is_used(device):
    x = torch.zeros(KIB, device=device, requires_grad=True)
    with MemoryTracker(device, str) as tracker:
        y = x.exp()
        loss = y.sum()
        del y
        assert tracker.live_bytes == 4 * KIB + 4 * KIB + GRANULE
        loss.backward()
        # the input, its gradient, the loss
        assert tracker.live_bytes == 4 * KIB + 4 * KIB + GRANULE


def test_what_no_backward_pass_needs_is_not_saved(device):
    x = torch.zeros(KIB, device=device, requires_grad=True)
    with MemoryTracker(device, str) as tracker:
        y = (x + 1).exp()
        assert tracker.live_bytes == 4 * KIB + 4 * KIB
        z = y * 3
        del y
        assert tracker.live_bytes == 4 * KIB + 8 * KIB
        del z
    assert tracker.live_bytes == 4 * KIB


def test_the_backward_pass_frees_as_it_goes(device):
    """Of a chain of ten, never more than one gradient beside what is still saved: one in, one out."""
    x = torch.zeros(KIB, device=device, requires_grad=True)
    with MemoryTracker(device, str) as tracker:
        y = x
        for _ in range(10):
            y = y.exp()
        loss = y.sum()
        del y
        before, forward = tracker.live_bytes, len(tracker.events)
        loss.backward()
    now, most = before, 0
    for event in tracker.events[forward:]:
        now += event.bytes
        most = max(most, now)
    assert before == 11 * 4 * KIB + GRANULE
    # the gradient of a sum is a view of one number
    assert most <= before + 4 * KIB + GRANULE
    assert tracker.live_bytes == 2 * 4 * KIB + GRANULE


@pytest.fixture
def tracker(device) -> MemoryTracker:
    """Of a step of a small network."""
    with torch.device(device):
        model = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.GELU(), nn.Linear(WIDTH, WIDTH, bias=False))
        batch = Batch(torch.ones(50, WIDTH), *torch.zeros(4, 1))
    optimiser = torch.optim.AdamW(model.parameters())
    step = TrainingStep(model, batch, lambda model, batch: model(batch.video).square().mean(), optimiser, 1.0)
    tracker = track_training_step(step)
    assert [phase.name for phase in tracker.ledger.phases] == ["forward", "backward", "clip", "optimiser"]
    return tracker


#: Bytes of the parameters, each of which is a storage: two matrices and a bias.
WEIGHT = 4 * WIDTH * WIDTH
BIAS = GRANULE
PARAMETERS = 3


def during(tracker: MemoryTracker, phase: Phase, component: str) -> list[int]:
    """Bytes of a component at the beginning and after every event of a phase."""
    moments = all_moments(tracker.ledger)
    column = moments.bytes[:, moments.components.index(component)]
    return column[phase.start : phase.end + 1].tolist()


def test_gradients_are_counted_as_such_when_they_are_complete(tracker):
    forward, backward, clip, optimiser = tracker.ledger.phases
    assert max(during(tracker, forward, "gradients")) == 0
    complete = 2 * WEIGHT + BIAS
    growing = during(tracker, backward, "gradients")
    assert growing == sorted(growing)
    assert set(during(tracker, clip, "gradients")) == {complete}
    assert during(tracker, optimiser, "gradients")[-1] == 0


def test_clipping_takes_a_number_a_parameter(tracker):
    """The norms, and some numbers more; gradients are scaled in place."""
    clip = tracker.ledger.phases[2]
    live = during(tracker, clip, "optimiser")
    extra = [size - live[0] for size in live]
    assert PARAMETERS * GRANULE <= max(extra) <= (PARAMETERS + 6) * GRANULE
    assert extra[-1] == 0


def test_the_optimiser_takes_a_copy_of_all_parameters(tracker, device):
    """The square roots of all second moments at once, as a GPU does it."""
    optimiser = tracker.ledger.phases[3]
    live = during(tracker, optimiser, "optimiser")
    # on a CPU the step counters are seen, and the one that is added to them
    host = (PARAMETERS + 1) * GRANULE if device == "cpu" else 0
    state = 2 * (2 * WEIGHT + BIAS)
    assert live[0] == state
    assert 0 <= max(live) - (state + 2 * WEIGHT + BIAS) <= host


def test_a_step_leaves_what_it_found(tracker, device):
    moments, phases = all_moments(tracker.ledger), tracker.ledger.phases
    before, after = (
        dict(zip(moments.components, moments.bytes[place].tolist(), strict=True))
        for place in (phases[0].start, phases[-1].end)
    )
    # the loss, which the training reads
    after["other"] -= GRANULE
    after["optimiser"] -= PARAMETERS * GRANULE if device == "cpu" else 0
    assert after == before
    assert before["parameters"] == before["optimiser"] // 2 == 2 * WEIGHT + BIAS
