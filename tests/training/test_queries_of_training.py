"""Query points of training samples."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_models import TINY_OF

from cotracker_pipeline.config import Recipe, Strategy
from cotracker_pipeline.data.clips import Sample
from cotracker_pipeline.models.build import build_model
from cotracker_pipeline.training.loop import Training
from cotracker_pipeline.training.queries import sample_training_queries, without_nonsense


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 3), st.integers(1, 9), st.integers(1, 13), st.integers(0, 99))
def test_every_query_is_a_visible_point_of_its_track(batch, frames, tracks, seed):
    random = generator(seed)
    trajectory = torch.rand(batch, frames, tracks, 2, generator=random)
    visibility = torch.rand(batch, frames, tracks, generator=random) > 0.6
    visibility[:, -1] |= ~visibility.any(dim=1)
    queries = sample_training_queries(trajectory, visibility, random)
    assert queries.shape == (batch, tracks, 3)
    for b in range(batch):
        for n in range(tracks):
            frame = int(queries[b, n, 0])
            assert visibility[b, frame, n]
            assert torch.equal(queries[b, n, 1:], trajectory[b, frame, n])
            if n >= tracks // 4:
                assert not visibility[b, :frame, n].any()


def test_the_first_quarter_is_queried_anywhere():
    visibility = torch.ones(1, 8, 400, dtype=torch.bool)
    frames = sample_training_queries(torch.zeros(1, 8, 400, 2), visibility, generator())[0, :, 0]
    assert set(frames[:100].tolist()) == set(range(8))
    assert frames[100:].abs().max() == 0


def test_random_queries_are_anywhere():
    visibility = torch.ones(1, 8, 400, dtype=torch.bool)
    frames = sample_training_queries(torch.zeros(1, 8, 400, 2), visibility, generator(), "random")[0, :, 0]
    for quarter in frames.chunk(4):
        assert set(quarter.tolist()) == set(range(8))


def test_a_track_that_is_never_visible_is_refused():
    visibility = torch.ones(1, 4, 3, dtype=torch.bool)
    visibility[0, :, 1] = False
    with pytest.raises(ValueError, match="never visible"):
        sample_training_queries(torch.zeros(1, 4, 3, 2), visibility, generator())


@pytest.mark.parametrize("wrong", ["track", "query", "far query"])
def test_a_sample_without_sense_counts_for_nothing(wrong):
    """And the other one as it did."""
    trajectory = torch.rand(2, 4, 3, 2)
    queries = torch.cat([torch.zeros(2, 3, 1), trajectory[:, 0]], dim=-1)
    valid = torch.ones(2, 4, 3, dtype=torch.bool)
    if wrong == "track":
        trajectory[1, 2, 0, 1] = float("nan")
    else:
        queries[1, 2, 1] = float("nan") if wrong == "query" else -1501
    found = without_nonsense(queries, trajectory, valid)
    for ours, before in zip(found, (queries, trajectory, valid), strict=True):
        assert torch.equal(ours[0], before[0])
        assert ours.dtype == before.dtype
        assert ours[1].isfinite().all()
    assert (found[0][1] == 1).all()
    assert not found[2][1].any()


@pytest.mark.parametrize("architecture", TINY_OF)
def test_such_a_sample_trains_no_position(architecture):
    """Of all losses that is left which looks at no position."""
    torch.manual_seed(0)
    model = build_model(TINY_OF[architecture], Recipe(), Strategy())
    training = Training(model, Recipe(tracks=3, steps=1, iterations=1), 0)
    trajectory = 20 * torch.rand(1, 4, 3, 2)
    known = torch.ones(1, 4, 3, dtype=torch.bool)
    trajectory[0, 3, 2] = float("inf")
    video = torch.zeros(1, 4, 3, 32, 48, dtype=torch.uint8)
    rows = []
    training.run(iter([Sample(video, trajectory, known, known)]), 1, lambda: None, rows.append)
    assert not training.not_finite.skipped
    assert rows[0].coordinate_loss == 0
