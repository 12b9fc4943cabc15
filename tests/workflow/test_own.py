"""What docs/own.md shows, added to the default study."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from running import as_done, change, cloned, planned, shown

from cotracker_pipeline.analysis.claims import load_claims
from cotracker_pipeline.config import load_study

STUDY = "config/config.yaml"
BLOCKS = {next(iter(yaml.safe_load(block))): block for block in shown("own.md", "yaml")}
COMMANDS = [command.split() for command in shown("own.md", "sh")]


@pytest.fixture(scope="module")
def done_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the default study is done, its files being empty."""
    return as_done(cloned(tmp_path_factory.mktemp("done")), STUDY)


@pytest.fixture
def folder(done_once: Path, tmp_path: Path) -> Path:
    return shutil.copytree(done_once, tmp_path, dirs_exist_ok=True)


def added(block: str) -> Callable[[Any], None]:
    """Puts what a block shows below the keys that it shows it below."""
    values = yaml.safe_load(BLOCKS[block])

    def edit(study: Any) -> None:
        for key, entries in values.items():
            if isinstance(entries, list):
                study[key] += entries
            else:
                study.setdefault(key, {}).update(entries)

    return edit


def lines(block: str) -> int:
    """Of a block, without the key that it stands below."""
    return len(BLOCKS[block].splitlines()) - 1


def test_a_variant_is_three_lines_and_its_own_jobs(folder: Path) -> None:
    change(folder / STUDY, added("variants"))
    jobs = planned(folder, *COMMANDS[0][1:])
    assert lines("variants") == 3
    assert (jobs["train"], jobs["evaluate"], jobs["predict_memory"]) == (1, 1, 1)
    assert {"render", "warm_up", "evaluate_baseline", "plan_budgets"}.isdisjoint(jobs)


def test_an_ablation_is_one_line_and_a_target(folder: Path) -> None:
    change(folder / STUDY, added("variants"))
    change(folder / STUDY, added("ablations"))
    jobs = planned(folder, *COMMANDS[1][1:])
    assert lines("ablations") == 1
    assert jobs["tabulate"] == jobs["train"] == 1
    assert "judge" not in jobs


def test_a_data_set_is_one_line_and_evaluates_again(folder: Path) -> None:
    (folder / "my-videos").mkdir()
    change(folder / STUDY, added("datasets"))
    jobs = planned(folder)
    assert BLOCKS["datasets"].count("\n") == 4
    assert jobs["convert"] == 1
    assert jobs["evaluate"] == len(load_study(folder / STUDY).variants)
    assert {"render", "warm_up", "train", "predict_memory"}.isdisjoint(jobs)


def test_a_claim_is_a_few_lines_and_only_judges_again(folder: Path) -> None:
    claims = folder / "config/claims.yaml"
    change(claims, added("claims"))
    assert lines("claims") <= 5
    assert load_claims(claims).claims[-1].id == "my-12gb-is-as-good"
    assert set(planned(folder)) == {"judge", "summarise", "report", "all"}
