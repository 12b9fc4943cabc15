"""A planned configuration as lines of a study file."""

from typing import Any

import yaml

from cotracker_pipeline.config import Clip, Recipe, Section, Strategy
from cotracker_pipeline.rungs import RUNGS


def variant_lines(name: str, rung: tuple[Recipe, Strategy], study: tuple[Recipe, Strategy]) -> list[str]:
    """What to paste below ``variants:`` of a study whose own recipe and strategy are ``study``."""
    recipe, strategy = rung
    lines = []
    if changed := changes(recipe, study[0]):
        lines.append(f"    recipe: {flow(changed)}")
    if strategy != study[1]:
        lines.append(f"    strategy: {_strategy(strategy, study[1])}")
    return [f"  {name}:", *lines] if lines else [f"  {name}: {{}}"]


def rung_name(strategy: Strategy) -> str:
    """Of one of ``RUNGS``, whatever its precision."""
    return next(
        name
        for name, keys in RUNGS.items()
        if Strategy.model_validate({**keys, "precision": strategy.precision}) == strategy
    )


def _strategy(planned: Strategy, own: Strategy) -> str:
    """By the name of its rung."""
    rung = rung_name(planned)
    if planned.precision == own.precision:
        return rung
    return flow({"rung": rung, "precision": planned.precision})


def clip_line(planned: Clip, own: Clip) -> str | None:
    """The key ``clip`` of ``memory`` or ``training``; None where the study's own says the same."""
    return f"clip: {flow(planned.model_dump(mode='json'))}" if planned != own else None


def changes(planned: Section, own: Section) -> dict[str, Any]:
    """The keys of ``planned`` that differ from those of ``own``."""
    before = own.model_dump(mode="json")
    return {key: value for key, value in planned.model_dump(mode="json").items() if value != before[key]}


def flow(values: dict[str, Any]) -> str:
    """YAML on one line."""
    return yaml.safe_dump(values, default_flow_style=True, sort_keys=False, width=10_000).strip()
