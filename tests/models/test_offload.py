"""What autograd saves may lie on the host meanwhile: the same numbers, less on the device."""

import pytest
import torch
from equivalence import Scene, step
from torch import Tensor, nn

from cotracker_pipeline.config import Clip, ModelSize, Recipe, Strategy
from cotracker_pipeline.memory.assembly import assemble_step
from cotracker_pipeline.memory.step import track_training_step
from cotracker_pipeline.memory.tracker import MemoryTracker
from cotracker_pipeline.models import offload
from cotracker_pipeline.models.offload import HostCopy, Offload, offloading
from cotracker_pipeline.models.recomputation import recompute
from cotracker_pipeline.rungs import RUNGS

SMALLEST = offload.SMALLEST


@pytest.fixture(autouse=True)
def whatever_its_size(monkeypatch):
    monkeypatch.setattr(offload, "SMALLEST", 0)


@pytest.fixture
def copies(monkeypatch) -> list[tuple[int, ...]]:
    """Shapes of what is copied to the host, in order."""
    shapes = []

    class Counted(HostCopy):
        def __init__(self, tensor, stream):
            shapes.append(tuple(tensor.shape))
            super().__init__(tensor, stream)

    monkeypatch.setattr(offload, "HostCopy", Counted)
    return shapes


@pytest.fixture
def fetched(monkeypatch) -> list[HostCopy]:
    """What is copied back, in order."""
    order = []
    copied_back = HostCopy._copied_back
    monkeypatch.setattr(HostCopy, "_copied_back", lambda copy: order.append(copy) or copied_back(copy))
    return order


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("rung", ["published", "moderate", "minimal"])
def test_bit_for_bit(rung, precision, copies):
    scene = Scene(query_frames=((0, 3, 0, 6, 5), (4, 4, 6, 6, 5)))
    plain = step(scene, Strategy(**RUNGS[rung], precision=precision), torch.float32)
    assert not copies
    found = step(scene, Strategy(**RUNGS[rung], precision=precision, offload=True), torch.float32)
    assert copies
    assert torch.equal(found.loss, plain.loss)
    assert all(torch.equal(found.gradients[name], plain.gradients[name]) for name in plain.gradients)


def test_parameters_stay(copies):
    linear = nn.Linear(3, 5)
    with offloading(linear, offload=True):
        result = linear(linear(torch.ones(2, 3))[:, :3])
    result.sum().backward()
    assert set(copies) == {(2, 3)}
    assert len(copies) == 2, "the input, and the part of the first result"


def test_a_tensor_is_copied_once_and_anew_when_it_has_changed(copies):
    weight, x = torch.ones(4, requires_grad=True), torch.ones(4)
    with Offload([weight]):
        result = weight * x + weight * x
        x.mul_(3)
        result = result + weight * x
    result.sum().backward()
    assert len(copies) == 2
    assert torch.equal(weight.grad, torch.full((4,), 5.0))


def test_one_that_lies_where_another_lay_is_copied_for_itself(copies):
    weight = torch.ones(4, requires_grad=True)
    with Offload([weight]):
        result = torch.zeros(4)
        for value in range(5):
            # released at once, and the next takes its place
            result = result + weight * torch.full((4,), float(value))
    result.sum().backward()
    assert len(copies) == 5
    assert torch.equal(weight.grad, torch.full((4,), 10.0))


def test_the_one_saved_before_is_fetched_ahead(fetched):
    x = torch.ones(4, requires_grad=True)
    with Offload([]):
        y = x.exp().sin().cos()
    assert not fetched
    seen = []
    y.grad_fn.next_functions[0][0].register_prehook(lambda _: seen.append(len(fetched)))
    y.sum().backward()
    assert seen == [2], "one for the cosine, and already one for the sine"
    assert len(fetched) == 3


def test_a_graph_may_be_kept():
    x = torch.rand(4, requires_grad=True)
    with Offload([]):
        y = x.exp().sum()
    first, second = (torch.autograd.grad(y, x, retain_graph=True)[0] for _ in range(2))
    assert torch.equal(first, second)
    assert torch.equal(first, x.exp())


def test_nothing_is_kept_after_the_backward_pass():
    x = torch.ones(1000, requires_grad=True)
    tracker = MemoryTracker("cpu", str)
    with tracker:
        with Offload([]):
            y = recompute(lambda value: value.exp().exp(), x.exp()).sum()
        y.backward()
        del y
    assert tracker.live_bytes <= 2 * 4096, "x and its gradient"


@pytest.mark.slow
def test_memory_of_the_published_training(monkeypatch):
    monkeypatch.setattr(offload, "SMALLEST", SMALLEST)

    def tracked(**keys) -> MemoryTracker:
        step = assemble_step(Recipe(), Strategy(**RUNGS["moderate"], **keys), Clip(), ModelSize(), "meta")
        return track_training_step(step)

    kept, moved = tracked(), tracked(offload=True)
    assert moved.peak.bytes < 0.4 * kept.peak.bytes
    assert moved.flops == kept.flops


def test_a_small_view_lets_go_of_its_large_storage(monkeypatch):
    monkeypatch.setattr(offload, "SMALLEST", 4096)
    weight = torch.ones(2, requires_grad=True, device="meta")
    tracker = MemoryTracker("meta", str)
    with tracker, Offload([weight]):
        _result = weight * torch.empty(100_000, device="meta")[:2]
    assert tracker.live_bytes < 4096


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu():
    def gradient(model: nn.Module, x: Tensor, moved: bool) -> tuple[list[Tensor], int]:
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        with offloading(model, moved):
            loss = model(x).square().mean()
        gradients = torch.autograd.grad(loss, list(model.parameters()))
        return list(gradients), torch.cuda.max_memory_allocated() - before

    layers = [layer for _ in range(8) for layer in (nn.Linear(512, 512), nn.GELU())]
    model = nn.Sequential(*layers).cuda()
    x = torch.randn(16384, 512, device="cuda")
    gradient(model, x, moved=False)
    plain, kept = gradient(model, x, moved=False)
    for _ in range(5):
        found, moved = gradient(model, x, moved=True)
        assert all(torch.equal(one, other) for one, other in zip(found, plain, strict=True))
    assert moved < 0.7 * kept
