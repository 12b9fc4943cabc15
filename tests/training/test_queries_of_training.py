"""Query points of training samples."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cotracker_pipeline.training.queries import sample_training_queries


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
