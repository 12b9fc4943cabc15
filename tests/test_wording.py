"""Strategies in words."""

import pytest

from cotracker_pipeline.config import Strategy
from cotracker_pipeline.rungs import RUNGS
from cotracker_pipeline.wording import strategy_in_words


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("name", RUNGS)
def test_a_rung_is_called_by_its_name(name: str, precision: str) -> None:
    assert strategy_in_words(Strategy.model_validate({**RUNGS[name], "precision": precision})) == name


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"checkpoint": ("encoder", "transformer")}, "checkpoint encoder + transformer"),
        ({"correlation": "local", "compile": True}, "correlation local, compile true"),
        ({"precision": "bf16", "encoder_chunk": 2}, "encoder_chunk 2"),
    ],
)
def test_any_other_by_what_differs(keys: dict[str, object], words: str) -> None:
    assert strategy_in_words(Strategy.model_validate(keys)) == words
