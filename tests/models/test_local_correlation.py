"""Local correlation against the volume: values, gradients, borders, and what it keeps."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from cotracker_pipeline.memory.flops import count_flops
from cotracker_pipeline.models.correlation import Correlation
from cotracker_pipeline.models.local_correlation import LocalCorrelation

CHANNELS = 6


def correlate(kind: type[Correlation], case: tuple[Tensor, Tensor, Tensor], radius: int, levels: int):
    """Samples, and gradients of maps and features under a random loss."""
    maps, features, coords = (part.clone() for part in case)
    maps.requires_grad_(), features.requires_grad_()
    module = kind(radius)
    samples = module(module.pyramid(maps, levels), features, coords)
    weights = torch.randn(samples.shape, generator=torch.Generator().manual_seed(5), dtype=samples.dtype)
    (samples * weights).sum().backward()
    return samples.detach(), maps.grad, features.grad


@st.composite
def cases(draw: st.DrawFn) -> tuple[tuple[Tensor, Tensor, Tensor], int, int]:
    batch, frames, tracks = (draw(st.integers(1, bound)) for bound in (2, 3, 4))
    levels = draw(st.integers(1, 4))
    height, width = (draw(st.integers(2 ** (levels - 1), 12)) for _ in range(2))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 1000)))

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    spread = draw(st.sampled_from([0.5, 3.0, 1e9]))
    coords = normal(batch, frames, tracks, 2) * spread * torch.tensor([width, height])
    if draw(st.booleans()):
        coords = coords.round()
    maps = normal(batch, frames, CHANNELS, height, width)
    return (maps, normal(batch, frames, tracks, CHANNELS), coords), draw(st.integers(1, 4)), levels


@settings(max_examples=60, deadline=None)
@given(cases())
def test_samples_and_gradients_are_those_of_the_volume(drawn):
    case, radius, levels = drawn
    found, expected = (correlate(kind, case, radius, levels) for kind in (LocalCorrelation, Correlation))
    # far outside, the coordinates of ``grid_sample`` have no digits left for where exactly
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("radius", [3, 2])
def test_golden_numbers(golden, unit, near, radius):
    case = golden("v2_d_corr")
    batch, frames, tracks, channels = (case.meta[key] for key in "BSNC")
    maps = unit("corr/fmaps", (batch, frames, channels, case.meta["H"], case.meta["W"]))
    features = unit("corr/targets", (batch, frames, tracks, channels))
    module = LocalCorrelation(radius)
    found = module(module.pyramid(maps, 4), features, case["coords"]).transpose(1, 2).flatten(0, 1)
    near(case.name, f"local, radius {radius}", found, case[f"out_r{radius}_border"], 1e-4)


def test_fp32_is_as_good_as_the_volume():
    torch.manual_seed(0)
    maps, features = torch.randn(1, 2, 128, 24, 32), torch.randn(1, 2, 9, 128)
    case = maps, features, 40 * torch.rand(1, 2, 9, 2) - 4
    exact = correlate(Correlation, tuple(part.double() for part in case), 3, 4)
    for ours, theirs, right in zip(
        correlate(LocalCorrelation, case, 3, 4), correlate(Correlation, case, 3, 4), exact, strict=True
    ):
        error, usual = ((each - right).norm() / right.norm() for each in (ours, theirs))
        assert error < max(2 * usual, 1e-6)


def test_bf16_sums_gradients_in_the_precision_of_the_samples():
    torch.manual_seed(0)
    maps = torch.randn(1, 1, 64, 4, 4).bfloat16().requires_grad_()
    features = torch.randn(1, 1, 500, 64).bfloat16().requires_grad_()
    coords = 3 * torch.rand(1, 1, 500, 2)
    module = LocalCorrelation(1)
    samples = module(module.pyramid(maps, 1), features, coords)
    assert samples.dtype == torch.float32
    samples.sum().backward()
    doubled = [each.detach().double().requires_grad_() for each in (maps, features)]
    module(module.pyramid(doubled[0], 1), doubled[1], coords.double()).sum().backward()
    for found, exact in zip((maps, features), doubled, strict=True):
        assert (found.grad - exact.grad).norm() < 5e-3 * exact.grad.norm()


def test_positions_get_no_gradient():
    maps, features = torch.randn(1, 1, 4, 5, 5), torch.randn(1, 1, 2, 4)
    module = LocalCorrelation(1)
    with pytest.raises(ValueError, match="detach them"):
        module(module.pyramid(maps, 1), features, torch.zeros(1, 1, 2, 2, requires_grad=True))


def test_only_positions_features_and_the_pyramid_are_kept():
    maps = torch.randn(1, 2, CHANNELS, 8, 10, requires_grad=True)
    features, coords = torch.randn(1, 2, 5, CHANNELS, requires_grad=True), torch.rand(1, 2, 5, 2)
    module = LocalCorrelation(3)
    pyramid = module.pyramid(maps, 3)
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda each: kept.append(each) or each, lambda each: each):
        module(pyramid, features, coords)
    known = {each.data_ptr() for each in (*pyramid, features, coords)}
    assert {each.data_ptr() for each in kept} == known


def test_operations_are_counted():
    table, rows = torch.zeros(30, 8), torch.zeros(4, 8)
    indices, starts = torch.zeros(12, dtype=torch.int32), torch.arange(0, 12, 3, dtype=torch.int32)
    operator = torch.ops.aten._embedding_bag_per_sample_weights_backward.default
    arguments = (rows, table, indices, starts, indices, 0)
    assert count_flops(operator, arguments, {}, operator(*arguments)) == 2 * 12 * 8
