"""The first estimate: found where the feature is, inside the map, and only where a study asks for it."""

from collections.abc import Sequence
from typing import get_args

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from small_models import TINY_OF

from cotracker_pipeline.config import Architecture, Recipe, Strategy
from cotracker_pipeline.models.build import build_model
from cotracker_pipeline.models.first_estimate import DISTANCE_COST, Matching, best_match, follow

HEIGHT, WIDTH = 5, 7


def centre() -> torch.Tensor:
    return torch.tensor([[[WIDTH // 2, HEIGHT // 2]]]).float()


@given(st.integers(0, WIDTH - 1), st.integers(0, HEIGHT - 1))
def test_finds_a_feature_anywhere_border_included(x, y):
    correlation = torch.zeros(1, 1, HEIGHT, WIDTH)
    correlation[0, 0, y, x] = 60
    found = best_match(correlation, centre())
    assert found.shape == (1, 1, 2)
    assert (found[0, 0] - torch.tensor([x, y])).abs().max() < 1e-3


@given(st.integers(0, 2**31))
def test_stays_inside_the_map_and_near_the_maximum(seed):
    random = torch.Generator().manual_seed(seed)
    correlation = torch.randn(1, 3, HEIGHT, WIDTH, generator=random)
    near = 5 * torch.rand(1, 3, 2, generator=random)
    found = best_match(correlation, near)
    assert ((found >= 0) & (found <= torch.tensor([WIDTH - 1, HEIGHT - 1]))).all()
    places = torch.stack(torch.meshgrid(torch.arange(WIDTH), torch.arange(HEIGHT), indexing="xy"), dim=-1)
    distances = (places - near[0, :, None, None]).square().sum(dim=-1)
    best = (correlation[0] - DISTANCE_COST * distances).flatten(-2).argmax(dim=-1)
    assert ((found[0] - torch.stack([best % WIDTH, best // WIDTH], dim=-1)).abs() <= 2).all()


def test_halfway_between_two_equal_pixels():
    correlation = torch.zeros(1, 1, HEIGHT, WIDTH)
    correlation[..., 2, 3:5] = 50
    found = best_match(correlation, centre())
    assert (found[0, 0] - torch.tensor([3.5, 2.0])).abs().max() < 1e-3


def test_of_two_equal_matches_the_nearer():
    correlation = torch.zeros(1, 1, HEIGHT, WIDTH)
    correlation[..., 2, [0, 6]] = 50
    for near, found in ((1.0, 0.0), (5.0, 6.0)):
        assert (best_match(correlation, torch.tensor([[[near, 2.0]]]))[0, 0, 0] - found).abs() < 1e-3


def moving(places: Sequence[int]) -> torch.Tensor:
    """(1, S, 1, H, W): a bright pixel at these columns of row 2, and a fixed one in the corner."""
    maps = torch.zeros(1, len(places), 1, HEIGHT, WIDTH)
    maps[:, :, :, 0, 0] = 50
    for frame, place in enumerate(places):
        maps[:, frame, :, 2, place] = 50
    return maps


def test_follows_from_the_frame_that_is_known_to_both_ends():
    """Where a track is in a later window, or its frame beyond this one, it stays at its start."""
    places = [6, 5, 4, 3, 4, 5]
    start = torch.tensor([[[3.0, 2.0], [3.0, 2.0], [1.0, 1.0]]])
    found = follow(moving(places), torch.ones(1, 3, 1), start, torch.tensor([[3, 0, 6]]))
    x = found[0, ..., 0].T
    torch.testing.assert_close(x[0], torch.tensor(places).float(), atol=1e-3, rtol=0)
    torch.testing.assert_close(x[1], torch.tensor([3.0, *places[1:]]), atol=1e-3, rtol=0)
    assert (found[0, :, 2] == 1).all()


def test_a_later_window_follows_from_the_end_of_the_one_before():
    """And a track that is queried in it from its query."""
    places = [3, 3, 3, 4, 5, 6]
    before = torch.tensor([[[[3.0, 2.0]] * 2, [[3.0, 2.0]] * 2]])
    coords, frames = torch.tensor([[[0.0, 0.0], [5.0, 2.0]]]), torch.tensor([[-4.0, 4.0]])
    found = Matching()(moving(places), coords, frames, torch.ones(1, 2, 1), before)
    torch.testing.assert_close(found[0, 2:, 0, 0], torch.tensor(places[2:]).float(), atol=1e-3, rtol=0)
    torch.testing.assert_close(found[0, 4:, 1, 0], torch.tensor([5.0, 6.0]), atol=1e-3, rtol=0)


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
    start, since = queries[..., 1:] / 4, queries[..., 0]
    found = 4 * follow(maps, features, start, since)
    assert (coords - found)[:, :, 0].abs().max() < 1e-3
    assert (coords - found)[:, 3:, 1].abs().max() < 1e-3
    assert (found[:, :, 0] - queries[:, 0, 1:]).abs().max() > 4, "every frame has its match at the query"
