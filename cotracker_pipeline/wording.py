"""Strategies and other sections of the configuration as people call them."""

from typing import Any

from cotracker_pipeline.config import BESIDE_RUNGS, Section, Strategy
from cotracker_pipeline.rungs import RUNGS


def rung_name(strategy: Strategy) -> str | None:
    """Of one of ``RUNGS``, whatever it has of ``BESIDE_RUNGS``; None for any other."""
    own = strategy.model_dump(include=BESIDE_RUNGS)
    for name, keys in RUNGS.items():
        if Strategy.model_validate({**own, **keys}) == strategy:
            return name
    return None


def strategy_in_words(strategy: Strategy) -> str:
    """All but the precision: a rung, if it is one, and the keys that differ from it; else those that differ
    from the published computation.
    """
    name = rung_name(strategy)
    like = Strategy.model_validate({**RUNGS[name or "published"], "precision": strategy.precision})
    differing = changes(strategy, like).items()
    words = [f"{key} {_value_in_words(value)}" for key, value in differing]
    return ", ".join([name, *words] if name else words)


def _value_in_words(value: Any) -> str:
    return " + ".join(value) if isinstance(value, list) else str(value).lower()


def changes(planned: Section, own: Section) -> dict[str, Any]:
    """The keys of ``planned`` that differ from those of ``own``."""
    # a dump may leave defaults out
    dumped = planned.model_dump(mode="json")
    return {
        key: dumped.get(key, getattr(planned, key))
        for key in type(planned).model_fields
        if getattr(planned, key) != getattr(own, key)
    }
