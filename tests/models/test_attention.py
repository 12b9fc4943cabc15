"""Fused attention against the explicit one, what it keeps, and which way it takes on CUDA."""

from functools import partial

import pytest
import torch
from torch import Tensor

from cotracker_pipeline.memory.step import MetaKernels
from cotracker_pipeline.memory.tracker import MemoryTracker
from cotracker_pipeline.models.attention import ATTENTIONS, Attention

BATCH, FRAMES, TRACKS, VIRTUAL, WIDTH, HEADS = 2, 3, 20, 4, 32, 4


def attention(kind: str, device: str = "cpu", dtype: torch.dtype = torch.float64) -> Attention:
    torch.manual_seed(0)
    with torch.device(device):
        return ATTENTIONS[kind](WIDTH, HEADS).to(dtype)


@pytest.fixture
def active() -> Tensor:
    """One frame with some active tracks, one with none, one with one, one with all."""
    active = torch.rand(BATCH, FRAMES, TRACKS, generator=torch.Generator().manual_seed(0)) < 0.5
    active[0, 1], active[0, 2], active[1, 0] = False, False, True
    active[0, 2, -1] = True
    return active


def attend(kind: str, side: str, active: Tensor, weigh: bool) -> tuple[Tensor, dict[str, Tensor]]:
    """Output, and gradients of the weights; with ``weigh`` only of queries that see something."""
    generator = torch.Generator().manual_seed(1)
    tracks, virtual = (
        torch.randn(BATCH * FRAMES, count, WIDTH, generator=generator, dtype=torch.float64)
        for count in (TRACKS, VIRTUAL)
    )
    module = attention(kind)
    mask = module.mask(active, torch.float64)
    if side == "keys":
        out = module(virtual, tracks, module.keys(mask))
        seeing = active.any(dim=-1).flatten()[:, None, None]
    else:
        out = module(tracks, virtual, module.queries(mask))
        seeing = active.flatten(0, 1)[..., None]
    weights = torch.randn(out.shape, generator=generator, dtype=torch.float64)
    (out * weights * (seeing if weigh else 1)).sum().backward()
    return out.detach(), {name: each.grad for name, each in module.named_parameters()}


@pytest.mark.parametrize("side", ["keys", "queries"])
def test_masks_mean_the_same(side, active):
    explicit, explicit_gradients = attend("explicit", side, active, weigh=True)
    fused, fused_gradients = attend("fused", side, active, weigh=True)
    torch.testing.assert_close(fused, explicit, rtol=1e-12, atol=1e-12)
    for name, expected in explicit_gradients.items():
        torch.testing.assert_close(fused_gradients[name], expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("kind", ATTENTIONS)
def test_a_query_that_sees_nothing_attends_to_all_keys_equally(kind):
    module = attention(kind)
    context = torch.randn(BATCH * FRAMES, TRACKS, WIDTH, dtype=torch.float64)
    mask = module.mask(torch.zeros(BATCH, FRAMES, TRACKS, dtype=torch.bool), torch.float64)
    out = module(torch.randn(BATCH * FRAMES, VIRTUAL, WIDTH, dtype=torch.float64), context, module.keys(mask))
    values = module.to_kv(context)[..., WIDTH:].mean(dim=1, keepdim=True)
    torch.testing.assert_close(out, module.to_out(values).expand_as(out))


def test_a_query_that_sees_nothing_moves_no_weights_of_the_logits(active):
    """Its attention is constant; rounding makes the published code send a gradient, which nothing reads."""
    _, gradients = attend("fused", "queries", torch.zeros_like(active), weigh=False)
    assert gradients["to_q.weight"].abs().max() == 0
    assert gradients["to_kv.weight"][:WIDTH].abs().max() < 1e-15
    assert gradients["to_kv.weight"][WIDTH:].abs().max() > 0


def kept(kind: str) -> list[int]:
    """Elements of what attention from tracks to virtual tracks keeps on CUDA, beside inputs and weights."""
    module = attention(kind, "meta", torch.float32)
    empty = partial(torch.empty, device="meta", requires_grad=True)
    inputs = empty(FRAMES, TRACKS, WIDTH), empty(FRAMES, VIRTUAL, WIDTH)
    known = {each.untyped_storage()._cdata for each in (*inputs, *module.parameters())}
    found = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in known:
            found[storage._cdata] = storage.nbytes() // tensor.element_size()
        return tensor

    mask = module.mask(torch.empty(1, FRAMES, TRACKS, dtype=torch.bool, device="meta"), torch.float32)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        out = module(*inputs, module.queries(mask))
        assert out.shape == inputs[0].shape
    return sorted(found.values())


def test_what_is_kept_is_q_k_v_the_result_and_a_sum_per_query():
    queries, context = FRAMES * TRACKS * WIDTH, FRAMES * VIRTUAL * WIDTH
    sums = FRAMES * HEADS * -(-TRACKS // 32) * 32
    # the mask, and the seed and the offset of dropout, which is not used
    rest = [FRAMES * TRACKS, 1, 1]
    assert kept("fused") == sorted([queries, 2 * context, queries, sums, *rest])
    logits = FRAMES * HEADS * TRACKS * VIRTUAL
    assert kept("explicit").count(logits) == 1
    assert logits not in kept("fused")


def test_the_bias_is_never_larger_than_the_keys():
    """Broadcast over heads and queries, and laid out as CUDA wants it, so that it is never copied."""
    for tracks in (1, 15, 16, 17):
        active = torch.ones(1, FRAMES, tracks, dtype=torch.bool)
        bias = ATTENTIONS["fused"].mask(active, torch.float32)[0]
        assert bias.shape == (FRAMES, 1, 1, tracks)
        assert bias.stride(-1) == 1
        assert bias.stride(0) % 8 == 0
        assert bias.untyped_storage().nbytes() < 4 * FRAMES * (tracks + 16)


def test_the_operations_of_fused_attention_are_counted():
    module = attention("fused", "meta", torch.float32)
    x = torch.empty(FRAMES, TRACKS, WIDTH, device="meta", requires_grad=True)
    tracker = MemoryTracker("meta", str, MetaKernels())
    with tracker:
        out = module(x, x)
        forward = tracker.flops
        out.sum().backward()
    projections = 2 * FRAMES * TRACKS * 4 * WIDTH * WIDTH
    logits = 2 * FRAMES * TRACKS * TRACKS * WIDTH
    assert forward == projections + 2 * logits
    # the logits are computed once more
    assert tracker.flops - forward == 2 * projections + 5 * logits
