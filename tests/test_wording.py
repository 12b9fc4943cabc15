"""Strategies in words."""

import pytest

from cotracker_pipeline.config import Strategy
from cotracker_pipeline.rungs import RUNGS
from cotracker_pipeline.wording import changes, strategy_in_words


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("name", RUNGS)
def test_a_rung_is_called_by_its_name(name: str, precision: str) -> None:
    assert strategy_in_words(Strategy.model_validate({**RUNGS[name], "precision": precision})) == name


def test_what_no_rung_names_is_told_beside_it() -> None:
    compiled = Strategy.model_validate({**RUNGS["fast"], "compile": True})
    assert strategy_in_words(compiled) == "fast, compile true"


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


def test_what_differs_may_be_a_default() -> None:
    compiled, plain = Strategy(compile=True), Strategy()
    assert changes(compiled, plain) == {"compile": True}
    assert changes(plain, compiled) == {"compile": False}
