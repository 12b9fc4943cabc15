"""What every rung needs, made up."""

import pytest
from made_up import COSTS, NAMES, way_of

from cotracker_pipeline.config import Recipe, Strategy


@pytest.fixture
def needs() -> dict[str, int]:
    """What each rung of any ladder needs: the further along, the less, and never less than 1000."""
    ordered = sorted(NAMES, key=_place)
    return {NAMES[rung]: 1000 + len(ordered) - index for index, rung in enumerate(ordered)}


def _place(rung: tuple[Recipe, Strategy]) -> tuple[int, ...]:
    recipe, strategy = rung
    learned = (-recipe.tracks, -recipe.use_track_mask, -recipe.corr_radius)
    return (*learned, list(COSTS).index(way_of(NAMES[rung])), strategy.precision == "bf16")
