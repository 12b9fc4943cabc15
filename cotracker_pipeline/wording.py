"""Strategies and other sections of the configuration as people call them."""

from typing import Any

from cotracker_pipeline.config import Section, Strategy
from cotracker_pipeline.rungs import RUNGS


def rung_name(strategy: Strategy) -> str | None:
    """Of one of ``RUNGS``, whatever its precision; None for any other."""
    for name, keys in RUNGS.items():
        if Strategy.model_validate({**keys, "precision": strategy.precision}) == strategy:
            return name
    return None


def strategy_in_words(strategy: Strategy) -> str:
    """All but the precision: the name of a rung, or the keys that differ from the published computation."""
    if name := rung_name(strategy):
        return name
    differing = changes(strategy, Strategy(precision=strategy.precision))
    return ", ".join(f"{key} {_value_in_words(value)}" for key, value in differing.items())


def _value_in_words(value: Any) -> str:
    return " + ".join(value) if isinstance(value, list) else str(value).lower()


def changes(planned: Section, own: Section) -> dict[str, Any]:
    """The keys of ``planned`` that differ from those of ``own``."""
    before = own.model_dump(mode="json")
    return {key: value for key, value in planned.model_dump(mode="json").items() if value != before[key]}
