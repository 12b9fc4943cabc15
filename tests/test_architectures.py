"""Which tracker a study names, and what studies from before there was a choice still mean."""

from typing import Any

import pytest

from cotracker_pipeline.config import ModelSize, Recipe, Study, parse_study
from cotracker_pipeline.errors import UserError

ADDED = {"position_loss", "only_visible", "query_sampling", "schedule"}


def study(architecture: str = "cotracker3-online", **recipe: Any) -> Study:
    files = {"files": ["a.h5"]}
    values = {
        "study": "a",
        "data": {"train": files, "eval": files},
        "training": {"model": {"architecture": architecture}},
        "variants": {"baseline": {}, "mine": {"recipe": recipe}},
    }
    return parse_study(values, "a.yaml")


@pytest.mark.parametrize(
    ("architecture", "window_len", "depth"),
    [("cotracker2", 8, 6), ("cotracker3-online", 16, 3), ("cotracker3-offline", 60, 3)],
)
def test_sizes_are_those_of_the_published_model(architecture: str, window_len: int, depth: int) -> None:
    size = study(architecture).training.model
    assert (size.window_len, size.depth) == (window_len, depth)
    assert ModelSize(architecture=architecture, window_len=6).window_len == 6
    assert ModelSize.model_validate(size.model_dump(mode="json")) == size


def test_only_windows_that_overlap_must_be_even() -> None:
    assert ModelSize(architecture="cotracker3-offline", window_len=9).window_len == 9
    with pytest.raises(ValueError, match="must be even"):
        ModelSize(architecture="cotracker3-online", window_len=9)


def test_a_key_that_came_later_is_no_part_of_what_names_older_results() -> None:
    assert "architecture" not in ModelSize().model_dump()
    assert not ADDED & Recipe().model_dump(mode="json").keys()
    assert Recipe(schedule="cosine").model_dump()["schedule"] == "cosine"
    assert Recipe.model_fields.keys() >= ADDED


def test_a_variant_may_set_them() -> None:
    assert study(position_loss="l1").variant("mine").recipe.position_loss == "l1"


@pytest.mark.parametrize(
    ("architecture", "recipe", "sentence"),
    [
        (
            "cotracker3-online",
            {"use_track_mask": False},
            "a.yaml: variants.mine: CoTracker3 has no track mask; remove recipe.use_track_mask or choose "
            "model.architecture cotracker2",
        ),
        (
            "cotracker3",
            {},
            "a.yaml: training.model.architecture: Input should be 'cotracker2', 'cotracker3-online' or "
            "'cotracker3-offline', found 'cotracker3'",
        ),
    ],
)
def test_mistakes_are_named(architecture: str, recipe: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UserError) as caught:
        study(architecture, **recipe)
    assert str(caught.value) == sentence
