"""Leaving out tracks: which are computed, in which order they come back, that nothing reads the others."""

from dataclasses import replace
from unittest.mock import patch

import pytest
import torch
from equivalence import Scene, step
from hypothesis import given, settings
from hypothesis import strategies as st

from cotracker_pipeline.config import Strategy
from cotracker_pipeline.models.active_tracks import QueryOrder, active_counts
from cotracker_pipeline.models.transformer import UpdateTransformer

SCENE = Scene(frames=8, window_len=4, query_frames=((5, 0, 7, 3, 0, 4),))


def computed_tracks(scene: Scene) -> list[int]:
    """Tracks in each call of the transformer."""
    counts = []
    forward = UpdateTransformer.forward

    def counted(self, tokens, mask):
        counts.append(tokens.shape[1])
        return forward(self, tokens, mask)

    with patch.object(UpdateTransformer, "forward", counted):
        step(scene, Strategy(skip_unused=True))
    return counts


def test_a_window_computes_what_is_queried_before_its_end():
    # windows end at 4, 6 and 8; each has two iterations
    assert computed_tracks(SCENE) == [3, 3, 5, 5, 6, 6]


def test_of_two_samples_the_one_with_more_tracks_counts():
    scene = replace(SCENE, query_frames=((5, 0, 7, 3, 0, 4), (7, 7, 5, 7, 7, 7)))
    assert computed_tracks(scene) == [3, 3, 5, 5, 6, 6]


def test_without_the_attention_mask_every_track_is_read_and_so_computed():
    assert computed_tracks(replace(SCENE, use_attention_mask=False)) == [6] * 6


def test_tracks_that_are_never_queried_cost_one():
    assert computed_tracks(replace(SCENE, query_frames=((9, 9, 9),))) == [1] * 6


def test_nothing_reads_an_inactive_track(monkeypatch):
    """What the plain computation makes of a track before its query changes neither outputs nor gradients."""
    expected = step(SCENE, Strategy())
    forward = UpdateTransformer.forward
    frames = torch.tensor(SCENE.query_frames[0])
    calls = []

    def disturbed(self, tokens, mask):
        end = 4 + 2 * (len(calls) // SCENE.iterations)
        calls.append(end)
        noise = torch.where(frames < end, 0.0, 100.0)[None, :, None, None]
        return forward(self, tokens + noise, mask) + noise

    monkeypatch.setattr(UpdateTransformer, "forward", disturbed)
    found = step(SCENE, Strategy())
    assert len(calls) == 6
    torch.testing.assert_close(found.coords, expected.coords, rtol=0, atol=0)
    torch.testing.assert_close(found.visibility, expected.visibility, rtol=0, atol=0)
    for name, gradient in expected.gradients.items():
        torch.testing.assert_close(found.gradients[name], gradient, rtol=1e-12, atol=1e-12)


@given(st.lists(st.lists(st.integers(0, 9), min_size=3, max_size=3), min_size=1, max_size=3))
@settings(deadline=None)
def test_the_order_is_undone(frames):
    queries = torch.tensor(frames, dtype=torch.float32)[..., None] + torch.tensor([0.0, 0.1, 0.2])
    order = QueryOrder.of(queries[..., 0])
    found = order.sorted(queries)
    assert (found[:, 1:, 0] >= found[:, :-1, 0]).all()
    assert torch.equal(order.undone(found[:, None].expand(-1, 4, -1, -1))[:, 2], queries)
    assert torch.equal(order.undone(found[:, None, :, 1])[:, 0], queries[..., 1])


def test_counts_are_the_largest_of_the_samples():
    frames = torch.tensor([[0, 3, 4], [2, 2, 9]])
    assert active_counts(frames, [3, 4, 5, 10]) == [2, 2, 3, 3]
    assert active_counts(frames.float(), [0]) == [0]


@pytest.mark.parametrize("frames", [1, 3, 4, 5, 6, 8, 9])
def test_clips_of_any_length(frames):
    scene = replace(SCENE, frames=frames)
    found, expected = step(scene, Strategy(skip_unused=True)), step(scene, Strategy())
    assert found.coords.shape == expected.coords.shape
    torch.testing.assert_close(found.coords, expected.coords, rtol=1e-9, atol=1e-9)
