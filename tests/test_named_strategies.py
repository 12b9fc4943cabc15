"""Strategies by the names of their rungs, in a study."""

from typing import Any, get_args

import pytest

from cotracker_pipeline.config import Strategy, StrategyName, Study, parse_study
from cotracker_pipeline.errors import UserError
from cotracker_pipeline.rungs import RUNGS


def study(strategy: Any, own: Any = None) -> Study:
    files = {"files": ["a.h5"]}
    values = {"study": "a", "data": {"train": files, "eval": files}, "strategy": own or {}}
    return parse_study(values | {"variants": {"baseline": {}, "mine": {"strategy": strategy}}}, "a.yaml")


def test_every_rung_has_a_name_in_the_schema() -> None:
    assert get_args(StrategyName) == (*RUNGS, "auto")


@pytest.mark.parametrize("name", RUNGS)
def test_a_name_stands_for_its_keys_whatever_the_study_says(name: str) -> None:
    own = {"precision": "bf16", "checkpoint": ["transformer"], "encoder_chunk": 7}
    expected = Strategy.model_validate({"precision": "bf16", **RUNGS[name]})
    assert study(name, own).variant("mine").strategy == expected
    assert study({"rung": name, "precision": "fp32"}, own).variant("mine").strategy == Strategy(**RUNGS[name])
    assert study({}, {"rung": name, "precision": "bf16"}).variant("mine").strategy == expected


def test_auto_keeps_the_precision_alone() -> None:
    own = {"precision": "bf16", "checkpoint": ["transformer"]}
    assert study("auto", own).variant("mine").strategy == Strategy(precision="bf16", auto=True)


def test_compilation_goes_with_any_rung() -> None:
    compiled = Strategy.model_validate({"compile": True, **RUNGS["fast"]})
    assert study({"rung": "fast", "compile": True}, {}).variant("mine").strategy == compiled
    assert study("fast", {"compile": True}).variant("mine").strategy == compiled


@pytest.mark.parametrize(
    ("strategy", "sentence"),
    [
        ("leen", "a.yaml: variants.mine.strategy: there is no 'leen'; did you mean 'lean'?"),
        ({"rung": "leen"}, "a.yaml: variants.mine.strategy: there is no 'leen'; did you mean 'lean'?"),
        (
            {"rung": "lean", "checkpoint": []},
            "a.yaml: variants.mine.strategy: beside rung there may be precision, offload and compile, but no "
            "'checkpoint'; remove it",
        ),
    ],
)
def test_mistakes_are_named(strategy: Any, sentence: str) -> None:
    with pytest.raises(UserError) as caught:
        study(strategy)
    assert str(caught.value) == sentence
