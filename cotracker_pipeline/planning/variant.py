"""A planned configuration as lines of a study file."""

from typing import Any

import yaml

from cotracker_pipeline.config import Clip, Recipe, Section, Strategy


def variant_lines(name: str, rung: tuple[Recipe, Strategy], study: tuple[Recipe, Strategy]) -> list[str]:
    """What to paste below ``variants:`` of a study whose own recipe and strategy are ``study``."""
    sections = {
        key: changes(planned, own)
        for key, planned, own in zip(("recipe", "strategy"), rung, study, strict=True)
    }
    lines = [f"    {key}: {flow(values)}" for key, values in sections.items() if values]
    return [f"  {name}:", *lines] if lines else [f"  {name}: {{}}"]


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
