"""A planned configuration as lines of a study file."""

from typing import Any

import yaml

from cotracker_pipeline.config import Clip, Recipe, Strategy
from cotracker_pipeline.wording import changes, rung_name


def variant_lines(name: str, rung: tuple[Recipe, Strategy], study: tuple[Recipe, Strategy]) -> list[str]:
    """What to paste below ``variants:`` of a study whose own recipe and strategy are ``study``."""
    recipe, strategy = rung
    lines = []
    if changed := changes(recipe, study[0]):
        lines.append(f"    recipe: {flow(changed)}")
    if strategy != study[1]:
        lines.append(f"    strategy: {_strategy(strategy, study[1])}")
    return [f"  {name}:", *lines] if lines else [f"  {name}: {{}}"]


def _strategy(planned: Strategy, own: Strategy) -> str:
    """By the name of its rung."""
    rung = rung_name(planned)
    if rung is None:
        raise ValueError(f"{planned} is none of the rungs, of which plans are made")
    if planned.precision == own.precision:
        return rung
    return flow({"rung": rung, "precision": planned.precision})


def clip_line(planned: Clip, own: Clip) -> str | None:
    """The key ``clip`` of ``memory`` or ``training``; None where the study's own says the same."""
    return f"clip: {flow(planned.model_dump(mode='json'))}" if planned != own else None


def flow(values: dict[str, Any]) -> str:
    """YAML on one line."""
    return yaml.safe_dump(values, default_flow_style=True, sort_keys=False, width=10_000).strip()
