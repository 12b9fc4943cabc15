"""The training step of a recipe, a strategy and a clip, as the training takes it, on any device."""

import torch
from torch import Tensor, nn

from cotracker_pipeline.config import Clip, ModelSize, Recipe, Strategy
from cotracker_pipeline.memory.step import Batch, TrainingStep
from cotracker_pipeline.models.build import build_model
from cotracker_pipeline.training.losses import tracking_loss
from cotracker_pipeline.training.optimisation import make_optimiser


def assemble_step(
    recipe: Recipe, strategy: Strategy, clip: Clip, model: ModelSize, device: str
) -> TrainingStep:
    """A model with fresh weights, a batch of zeros, and the training's own loss and optimiser."""
    with torch.device(device):
        network = build_model(model, recipe, strategy)

    def loss(network: nn.Module, batch: Batch) -> Tensor:
        _, _, predictions = network(batch.video, batch.queries, recipe.iterations, is_train=True)
        return tracking_loss(predictions, batch.trajectory, batch.visibility, batch.valid, recipe.loss).total

    optimiser, _ = make_optimiser(network, recipe)
    batch = blank_batch(clip, recipe.tracks, device)
    return TrainingStep(network, batch, loss, optimiser, recipe.gradient_clip)


def blank_batch(clip: Clip, tracks: int, device: str) -> Batch:
    """A batch of zeros with ``tracks`` tracks, all queried in the upper left corner of the first frame."""
    points = (clip.batch_size, clip.frames, tracks)
    return Batch(
        video=torch.zeros(clip.batch_size, clip.frames, 3, clip.height, clip.width, device=device),
        queries=torch.zeros(clip.batch_size, tracks, 3, device=device),
        trajectory=torch.zeros(*points, 2, device=device),
        visibility=torch.zeros(points, device=device),
        valid=torch.zeros(points, device=device),
    )
