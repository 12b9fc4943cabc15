"""What Snakemake asks of workflows: complete rules, use as a module, an entry of the catalogue, a picture."""

import os
import re
import shutil
from pathlib import Path

import pytest
import yaml
from running import ROOT, TINY, cloned, snakemake

RULES = {
    match[1]: match[2]
    for file in sorted((ROOT / "workflow/rules").glob("*.smk"))
    for match in re.finditer(r"^rule (\w+):\n((?: .*\n|\n)+)", file.read_text(), re.MULTILINE)
}
JOBS = {name: text for name, text in RULES.items() if "    shell:" in text}


def test_rules_are_found() -> None:
    assert {"render", "train", "evaluate", "tabulate", "report"} <= set(JOBS)
    assert set(RULES) - set(JOBS) == {"data", "measured", "budgets", "results", "published"}


@pytest.mark.parametrize("directive", ["log", "benchmark", "threads", "resources", "message"])
@pytest.mark.parametrize("name", JOBS)
def test_every_rule_that_runs_something_is_complete(name: str, directive: str) -> None:
    assert re.search(rf"^    {directive}:", JOBS[name], re.MULTILINE)


def test_the_picture_of_the_rules_is_up_to_date() -> None:
    drawn = set(re.findall(r"<text[^>]*>(\w+)</text>", (ROOT / "docs/rulegraph.svg").read_text()))
    left_out = {"convert", "download", "measure_memory", "measured", "data", "budgets", "results"}
    of_checkpoints = {"convert_checkpoint", "evaluate_published", "compare_published", "published"}
    assert set(RULES) - left_out - of_checkpoints <= drawn
    assert drawn - {"all"} <= set(RULES)


def test_the_entry_of_the_catalogue_is_of_this_workflow() -> None:
    usage = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text())["usage"]
    assert usage["report"] is True
    assert (ROOT / "config/README.md").is_file()


IMPORTING = """
configfile: "study.yaml"

module tracking:
    snakefile: "{snakefile}"
    config: config

use rule * from tracking as tracking_*

onstart:
    tracking.onstart()

rule mine:
    default_target: True
    input:
        "results/tiny/memory/predicted/baseline.json",
        "results/tiny/report.html",
"""


@pytest.fixture
def importing(tmp_path: Path) -> Path:
    """A workflow that uses this one as a module, from a folder beside it."""
    other, folder = tmp_path / "cotracker", tmp_path / "mine"
    folder.mkdir()
    other.mkdir()
    cloned(other, "cotracker_pipeline")
    (folder / "Snakefile").write_text(IMPORTING.format(snakefile=other / "Snakefile"))
    shutil.copy(ROOT / TINY, folder / "study.yaml")
    shutil.copytree(ROOT / "config", folder / "config")
    return folder


def test_another_workflow_may_use_it_as_a_module(importing: Path) -> None:
    done = snakemake(importing, "--dry-run", "--printshellcmds", PYTHONPATH=str(ROOT))
    assert done.returncode == 0, done.stdout
    assert re.search(r"^tracking_train +6$", done.stdout, re.MULTILINE)
    assert re.search(r"^tracking_report +1$", done.stdout, re.MULTILINE)
    assert "snakemake results --snakefile ../cotracker/Snakefile" in done.stdout


def test_a_module_computes(importing: Path) -> None:
    wanted = "results/tiny/memory/predicted/baseline.json"
    done = snakemake(importing, "--cores", "1", wanted, PYTHONPATH=str(ROOT), OMP_NUM_THREADS="1")
    assert done.returncode == 0, done.stdout
    assert (importing / wanted).stat().st_size > 1000
    assert os.listdir(importing / "results/tiny/benchmarks") == ["predict_memory"]
