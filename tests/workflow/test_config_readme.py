"""config/README.md explains every key."""

from pathlib import Path

import pytest

from cotracker_pipeline.analysis.claims import ClaimsFile
from cotracker_pipeline.analysis.published_numbers import PublishedNumbers
from cotracker_pipeline.config import Study

README = (Path(__file__).parents[2] / "config" / "README.md").read_text()


def keys(schema: dict) -> set[str]:
    sections = [schema, *schema["$defs"].values()]
    return {name for section in sections for name in section.get("properties", {})}


@pytest.mark.parametrize(
    "key",
    sorted(set().union(*(keys(kind.model_json_schema()) for kind in (Study, ClaimsFile, PublishedNumbers)))),
)
def test_key_is_explained(key: str) -> None:
    assert f"`{key}`" in README


@pytest.mark.parametrize(
    "kind",
    sorted(
        section["properties"]["kind"]["const"]
        for section in ClaimsFile.model_json_schema()["$defs"].values()
        if "kind" in section.get("properties", {})
    ),
)
def test_criterion_is_explained(kind: str) -> None:
    assert f"| `{kind}` |" in README
