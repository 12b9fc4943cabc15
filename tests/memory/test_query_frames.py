"""The assumed query frames against what the training samples."""

import pytest
import torch

from cotracker_pipeline.config import Clip, ModelSize, Recipe, Sampling, Strategy
from cotracker_pipeline.memory import predict_peak_memory
from cotracker_pipeline.memory.assembly import blank_batch
from cotracker_pipeline.memory.query_frames import published_query_frames
from cotracker_pipeline.models.active_tracks import active_counts
from cotracker_pipeline.training.queries import sample_training_queries

FRAMES, TRACKS = 24, 768
ENDS = range(1, FRAMES + 1)


def sampled(generator: torch.Generator, visible: float, sampling: Sampling = "first") -> torch.Tensor:
    """Frames (1, N) that the training draws where points are seen in this share of the frames."""
    trajectory = torch.zeros(1, FRAMES, TRACKS, 2)
    visibility = torch.rand(1, FRAMES, TRACKS, generator=generator) < visible
    visibility[:, -1] |= ~visibility.any(dim=1)
    return sample_training_queries(trajectory, visibility, generator, sampling)[..., 0]


@pytest.mark.parametrize("sampling", ["first", "random"])
@pytest.mark.parametrize("visible", [1.0, 0.8])
def test_no_draw_has_more_active_tracks(visible, sampling):
    assumed = active_counts(torch.tensor([published_query_frames(TRACKS, FRAMES, sampling)]), ENDS)
    generator = torch.Generator().manual_seed(0)
    for _ in range(50):
        drawn = active_counts(sampled(generator, visible, sampling), ENDS)
        assert all(few <= many for few, many in zip(drawn, assumed, strict=True))


def test_the_assumption_is_close():
    assumed = active_counts(torch.tensor([published_query_frames(TRACKS, FRAMES)]), ENDS)
    generator = torch.Generator().manual_seed(0)
    drawn = torch.tensor([active_counts(sampled(generator, 1.0), ENDS) for _ in range(50)]).float().mean(0)
    assert (torch.tensor(assumed) - drawn).max() < 0.04 * TRACKS


@pytest.mark.parametrize(("tracks", "frames"), [(1, 1), (3, 5), (4, 1), (17, 2), (768, 24)])
def test_every_track_is_queried_within_the_clip(tracks, frames):
    found = published_query_frames(tracks, frames)
    assert len(found) == tracks
    assert found == sorted(found)
    assert 0 <= found[0] <= found[-1] < frames


def test_the_batch_is_queried_so():
    batch = blank_batch(Clip(batch_size=2, frames=6, height=8, width=8), 20, "cpu")
    assert batch.queries[..., 0].tolist() == [published_query_frames(20, 6)] * 2


def test_what_is_left_out_is_not_counted(small_clip: Clip, small_model: ModelSize):
    recipe = Recipe(tracks=200, iterations=2)
    plain, skipping = (
        predict_peak_memory(recipe, Strategy(skip_unused=skip), small_clip, small_model)
        for skip in (False, True)
    )
    assert skipping.flops < plain.flops
    assert skipping.peak_allocated_bytes < plain.peak_allocated_bytes
    masked = recipe.model_copy(update={"use_attention_mask": False})
    read = predict_peak_memory(masked, Strategy(skip_unused=True), small_clip, small_model)
    assert read.flops == plain.flops
