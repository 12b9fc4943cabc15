"""The training step of a recipe, a strategy and a clip, as the training takes it, on any device."""

import torch
from torch import Tensor, nn

from cotracker_pipeline.config import Clip, ModelSize, Recipe, Sampling, Strategy
from cotracker_pipeline.memory.query_frames import published_query_frames
from cotracker_pipeline.memory.step import Batch, TrainingStep
from cotracker_pipeline.models.active_tracks import active_counts
from cotracker_pipeline.models.build import build_model
from cotracker_pipeline.training.objective import training_loss
from cotracker_pipeline.training.optimisation import make_optimiser


def assemble_step(
    recipe: Recipe, strategy: Strategy, clip: Clip, model: ModelSize, device: str
) -> TrainingStep:
    """A model with fresh weights, a batch of zeros, and the training's own loss and optimiser."""
    with torch.device(device):
        network = build_model(model, recipe, strategy)
    # on meta they cannot be counted, and what is measured is to be what was predicted
    active = _active_tracks(recipe, network.windows(clip.frames), clip.frames)

    def loss(network: nn.Module, batch: Batch) -> Tensor:
        *_, predictions = network(
            batch.video, batch.queries, recipe.iterations, is_train=True, active_tracks=active
        )
        return training_loss(predictions, batch.trajectory, batch.visibility, batch.valid, recipe).total

    optimiser, _ = make_optimiser(network, recipe, strategy)
    batch = blank_batch(clip, recipe.tracks, device, recipe.query_sampling)
    return TrainingStep(network, batch, loss, optimiser, recipe.gradient_clip)


def blank_batch(clip: Clip, tracks: int, device: str, sampling: Sampling = "first") -> Batch:
    """A batch of zeros with ``tracks`` tracks, queried in the upper left corner, in the frames of
    ``published_query_frames``.
    """
    points = (clip.batch_size, clip.frames, tracks)
    queries = torch.zeros(clip.batch_size, tracks, 3, device=device)
    frames = published_query_frames(tracks, clip.frames, sampling)
    queries[..., 0] = torch.tensor(frames, device=device)
    return Batch(
        video=torch.zeros(clip.batch_size, clip.frames, 3, clip.height, clip.width, device=device),
        queries=queries,
        trajectory=torch.zeros(*points, 2, device=device),
        visibility=torch.zeros(points, device=device),
        valid=torch.zeros(points, device=device),
    )


def _active_tracks(recipe: Recipe, windows: list[range], frames: int) -> list[int]:
    """What the tracker counts in the queries of ``blank_batch``."""
    queried = published_query_frames(recipe.tracks, frames, recipe.query_sampling)
    return active_counts(torch.tensor([queried]), (window.stop for window in windows))
