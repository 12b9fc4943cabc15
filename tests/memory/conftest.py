"""A small model and clip."""

import pytest
from small_models import SMALL

from cotracker_pipeline.config import Clip, ModelSize, Recipe


@pytest.fixture
def small_model() -> ModelSize:
    return SMALL


@pytest.fixture
def small_clip() -> Clip:
    return Clip(batch_size=1, frames=12, height=64, width=96)


@pytest.fixture
def small_recipe() -> Recipe:
    return Recipe(tracks=20, iterations=2, steps=10)
