"""What a study was made with."""

import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest

from cotracker_pipeline import environment
from cotracker_pipeline.analysis.environment_table import environment_table
from cotracker_pipeline.config import Study, parse_study


@pytest.fixture
def values(study: Study) -> dict[str, dict[str, str]]:
    """By block and name."""
    data = environment_table(study).data
    return {
        block: dict(zip(rows["what"], rows["value"], strict=True)) for block, rows in data.groupby("block")
    }


def test_every_package_is_locked(values: dict[str, dict[str, str]]) -> None:
    locked = values["Packages"]
    for name in ("torch", "numpy", "snakemake"):
        assert locked[name] == version(name)
    assert list(locked) == sorted(locked, key=str.lower)


def test_the_configuration_is_what_the_file_says(values: dict[str, dict[str, str]]) -> None:
    said = values["Configuration"]
    assert said["training.track_factor"] == "0.0625"
    assert said["training.seeds"] == "[0, 1, 2]"
    assert said["variants.lean.recipe.tracks"] == "144"
    assert said["variants.baseline"] == "{}"
    assert "training.log_every" not in said


def test_what_a_cluster_is_asked_for_is_no_part_of_it(study: Study) -> None:
    asked = study.model_dump(mode="json", exclude_unset=True) | {"resources": {"train": {"mem_mb": 9000}}}
    assert environment_table(parse_study(asked, "s")).data.equals(environment_table(study).data)


def test_the_machine_is_named(values: dict[str, dict[str, str]]) -> None:
    machine = values["Machine"]
    assert machine["processor"] == environment.processor() != ""
    assert float(machine["memory GB"]) > 0.1


def test_the_commit_is_that_of_this_checkout() -> None:
    root = Path(__file__).parents[2]
    head = subprocess.run(["git", "-C", root, "rev-parse", "HEAD"], capture_output=True, text=True)
    if head.returncode != 0:
        pytest.skip("no git checkout")
    assert (environment.commit() or "").removesuffix("-dirty") == head.stdout.strip()


@pytest.mark.parametrize("command", [("no-such-command",), ("false",), ("true",)])
def test_a_program_that_says_nothing_says_none(command: tuple[str, ...]) -> None:
    assert environment.first_line(*command) is None
