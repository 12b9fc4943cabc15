"""Live bytes of small computations, worked out by hand."""

import pytest
import torch
from torch import nn

from cotracker_pipeline.memory.ledger import Ledger
from cotracker_pipeline.memory.meta_kernels import MetaKernels
from cotracker_pipeline.memory.modules import ModuleTrace
from cotracker_pipeline.memory.tracker import MemoryTracker

KIB = 1024


@pytest.fixture(params=["cpu", "meta"])
def device(request) -> str:
    return request.param


def track(device: str) -> MemoryTracker:
    return MemoryTracker(device, lambda: "fnet.layer1")


def test_views_and_operators_in_place_add_nothing(device):
    with track(device) as tracker:
        x = torch.zeros(KIB, device=device)
        y = x.view(2, -1)[0].add_(1)
    assert tracker.live_bytes == 4 * KIB
    del x
    assert tracker.live_bytes == 4 * KIB
    del y
    assert tracker.live_bytes == 0


def test_storages_are_rounded_up_to_512_bytes(device):
    with track(device) as tracker:
        x = torch.zeros(1, device=device)
    assert tracker.live_bytes == 512
    del x


def test_the_peak_says_what_where_and_when(device):
    with track(device) as tracker, tracker.phase("forward"):
        x = torch.ones(KIB, device=device)
        y = torch.cat([x, x])
        del x, y
    peak = tracker.peak
    assert (peak.bytes, peak.breakdown) == (12 * KIB, {"encoder": 12 * KIB})
    assert (peak.phase, peak.module, peak.operation) == ("forward", "fnet.layer1", "aten.cat.default")


def test_events_tell_the_whole_story(device):
    with track(device) as tracker:
        x = torch.ones(KIB, device=device)
        x = x + 1
        del x
    assert [event.bytes for event in tracker.events] == [4096, 4096, -4096, -4096]
    assert tracker.events[0].block == tracker.events[2].block


def test_a_registered_tensor_may_change_its_component(device):
    tensor = torch.zeros(KIB, device=device)
    tracker = track(device)
    tracker.register("batch", [tensor])
    tracker.register("gradients", [tensor.view(2, -1)])
    with tracker:
        y = tensor + 1
    assert tracker.peak.breakdown == {"gradients": 4 * KIB, "encoder": 4 * KIB}
    del y


def test_flops_of_a_product(device):
    with track(device) as tracker:
        torch.ones(3, 4, device=device) @ torch.ones(4, 5, device=device)
    assert tracker.flops == 2 * 3 * 4 * 5


def test_backward_operators_belong_to_the_module_that_made_them():
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    places = []
    with ModuleTrace(model) as trace:
        y = model(torch.ones(2, 4, requires_grad=True))
        for node in (y.grad_fn, y.grad_fn.next_functions[1][0]):
            node.register_hook(lambda *_: places.append(trace.current()))
        y.sum().backward()
    assert places == ["1", "0"]
    assert not model[0]._forward_hooks


@pytest.mark.parametrize(
    "compute",
    [
        lambda x: x.transpose(0, 1) * 2,
        lambda x: torch.where(x > 0, x, 1.0),
        lambda x: x.softmax(-1),
        lambda x: x.expand(2, 3, 4).reshape(-1),
        lambda x: torch.nn.functional.layer_norm(x, (4,)),
        lambda x: x.to(torch.bfloat16).sum(),
        lambda x: x.int() * 2.0,
        lambda x: x.int() * 2,
    ],
)
def test_remembered_kernels_lay_out_like_the_first_call(compute):
    x = torch.zeros(3, 4, device="meta")
    plain = compute(x)
    kernels = MetaKernels()
    for _ in range(2):
        with MemoryTracker("meta", str, kernels):
            result = compute(x)
        assert (result.shape, result.stride(), result.dtype) == (plain.shape, plain.stride(), plain.dtype)


def test_remembered_kernels_keep_views_views():
    x = torch.zeros(3, 4, device="meta")
    with MemoryTracker("meta", str, MetaKernels()):
        for _ in range(2):
            view = torch.ops.aten._unsafe_view.default(x, [12])
            assert view.untyped_storage()._cdata == x.untyped_storage()._cdata


def test_remembered_kernels_change_real_tensors():
    x, y = torch.zeros(3), torch.ones(3)
    with MemoryTracker("cpu", str, MetaKernels()):
        for _ in range(2):
            assert x.add_(y) is x
            torch._foreach_mul_([x, y], 3)
    assert x.tolist() == [18] * 3


def test_remembered_kernels_in_place_return_what_they_change():
    x = torch.zeros(3, device="meta")
    with MemoryTracker("meta", str, MetaKernels()) as tracker:
        for _ in range(2):
            assert x.add_(1) is x
            torch._foreach_mul_([x, x], 3)
            assert x.unsqueeze_(0).shape[0] == 1
    assert x.shape == (1, 1, 3)
    assert len(tracker.events) == 1


def test_aside_counts_what_is_new_and_its_end(device):
    other = Ledger()
    with track(device) as tracker:
        x = torch.zeros(KIB, device=device)
        with tracker.aside(other):
            y = x + 1
        assert (tracker.live_bytes, other.live_bytes) == (4 * KIB, 4 * KIB)
        del y
    assert (tracker.live_bytes, other.live_bytes) == (4 * KIB, 0)
    assert len(tracker.events) == 1


def test_an_abandoned_storage_ends_once(device):
    with track(device) as tracker:
        x = torch.zeros(KIB, device=device)
        tracker.abandon(x)
        assert tracker.live_bytes == 0
        del x
    assert [event.bytes for event in tracker.events] == [4096, -4096]
