"""A small model and clip, and one thread."""

import pytest
import torch

from cotracker_pipeline.config import Clip, ModelSize, Recipe


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def small_model() -> ModelSize:
    return ModelSize(
        model_resolution=(64, 96),
        num_virtual_tracks=8,
        feature_dim=32,
        encoder_widths=(16, 16, 24, 32, 32),
        hidden_size=48,
        num_heads=4,
        depth=1,
    )


@pytest.fixture
def small_clip() -> Clip:
    return Clip(batch_size=1, frames=12, height=64, width=96)


@pytest.fixture
def small_recipe() -> Recipe:
    return Recipe(tracks=20, iterations=2, steps=10)
