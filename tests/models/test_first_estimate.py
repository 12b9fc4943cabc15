"""The first estimate: found where the feature is, inside the map, and only where a study asks for it."""

from typing import get_args

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from small_models import TINY_OF

from cotracker_pipeline.config import Architecture, Recipe, Strategy
from cotracker_pipeline.models.build import build_model
from cotracker_pipeline.models.first_estimate import best_match

HEIGHT, WIDTH = 5, 7


def one_hot_maps() -> torch.Tensor:
    """(1, 1, H·W, H, W): every pixel has a channel of its own."""
    return 60 * torch.eye(HEIGHT * WIDTH).reshape(1, 1, -1, HEIGHT, WIDTH)


@given(st.integers(0, WIDTH - 1), st.integers(0, HEIGHT - 1))
def test_finds_a_feature_anywhere_border_included(x, y):
    maps = one_hot_maps()
    found = best_match(maps, maps[:, 0, :, y, x][:, None])
    assert found.shape == (1, 1, 1, 2)
    assert (found[0, 0, 0] - torch.tensor([x, y])).abs().max() < 1e-3


@given(st.integers(0, 2**31))
def test_stays_inside_the_map_and_near_the_maximum(seed):
    random = torch.Generator().manual_seed(seed)
    maps = torch.randn(1, 2, 4, HEIGHT, WIDTH, generator=random)
    features = torch.randn(1, 3, 4, generator=random)
    found = best_match(maps, features)
    assert ((found >= 0) & (found <= torch.tensor([WIDTH - 1, HEIGHT - 1]))).all()
    correlation = torch.einsum("bnc,bschw->bsnhw", features, maps).flatten(-2)
    best = correlation.argmax(dim=-1)
    assert ((found - torch.stack([best % WIDTH, best // WIDTH], dim=-1)).abs() <= 2).all()


def test_halfway_between_two_equal_pixels():
    maps = torch.zeros(1, 1, 2, HEIGHT, WIDTH)
    maps[:, :, 0, 2, 3:5] = 50
    found = best_match(maps, torch.tensor([[[1.0, 0.0]]]))
    assert (found[0, 0, 0] - torch.tensor([3.5, 2.0])).abs().max() < 1e-3


@pytest.mark.parametrize("architecture", get_args(Architecture))
def test_an_untrained_model_starts_there(architecture):
    size = TINY_OF[architecture].model_copy(update={"first_estimate": "matching"})
    torch.manual_seed(0)
    model = build_model(size, Recipe(), Strategy())
    torch.nn.init.zeros_(model.updateformer.flow_head.weight)
    video = torch.rand(1, 6, 3, 32, 32) * 255
    # on feature pixels, where the model's interpolation reads the pixel itself
    queries = torch.tensor([[[0.0, 8.0, 20.0], [3.0, 16.0, 4.0]]])
    with torch.no_grad():
        maps = model.encode(video)
        coords, *_ = model(video, queries, 2)
    features = torch.stack([maps[:, 0, :, 5, 2], maps[:, 3, :, 1, 4]], dim=1)
    if architecture != "cotracker2":
        # features of length 1 are compared as if each channel had a variance of 1
        features = features * features.shape[-1]
    found = 4 * best_match(maps, features)
    assert (coords - found)[:, :, 0].abs().max() < 1e-3
    assert (coords - found)[:, 3:, 1].abs().max() < 1e-3
    assert (found[:, :, 0] - queries[:, 0, 1:]).abs().max() > 4, "every frame has its match at the query"
