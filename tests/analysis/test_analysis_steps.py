"""The command lines of tabulate, judge and illustrate."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from cotracker_pipeline.config import Study

CLAIMS = Path(__file__).parents[2] / "config" / "claims.yaml"


@pytest.fixture
def study_file(study: Study, tmp_path: Path) -> Path:
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(study.model_dump(mode="json", exclude_unset=True)))
    return path


def run(step: str, *arguments: object) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", f"cotracker_pipeline.{step}", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture
def inputs(results: Path, patterns: dict[str, str]) -> Callable[..., list[object]]:
    """Options and their files as arguments."""
    return lambda *options: [
        part for option in options for part in (option, *sorted(results.glob(patterns[option])))
    ]


@pytest.mark.parametrize("table", ["memory", "measured", "budgets", "accuracy", "environment", "precision"])
def test_tabulate(table: str, study_file: Path, inputs: Callable[..., list[object]], tmp_path: Path) -> None:
    outputs = [tmp_path / f"out.{suffix}" for suffix in ("csv", "md", "tex", "html")]
    given = inputs("--memory", "--measured", "--budgets", "--accuracy", "--floors")
    done = run("tabulate", "--config", study_file, "--table", table, *given, "--output", *outputs)
    assert done.returncode == 0, done.stderr
    assert all(path.stat().st_size > 100 for path in outputs)


def test_tabulate_names_the_ablations_that_exist(study_file: Path, tmp_path: Path) -> None:
    done = run("tabulate", "--config", study_file, "--table", "presicion", "--output", tmp_path / "t.csv")
    assert done.returncode != 0
    assert (
        "ablations has no 'presicion'; choose one of memory, measured, budgets, accuracy, environment, "
        "precision" in done.stderr
    )
    assert not (tmp_path / "t.csv").exists()


def test_the_table_of_budgets_needs_their_file(study_file: Path, tmp_path: Path) -> None:
    done = run("tabulate", "--config", study_file, "--table", "budgets", "--output", tmp_path / "t.csv")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "give the file that plan_budgets wrote" in done.stderr


def test_judge(study_file: Path, inputs: Callable[..., list[object]], tmp_path: Path) -> None:
    output = tmp_path / "verdicts.md"
    given = inputs("--memory", "--accuracy", "--floors", "--losses")
    done = run("judge", "--config", study_file, "--claims", CLAIMS, *given, "--output", output)
    assert done.returncode == 0, done.stderr
    assert "| bf16-saves-30-50" in output.read_text()
    assert "Loss used in training: corrected." in output.read_text()


def test_illustrate(study_file: Path, inputs: Callable[..., list[object]], tmp_path: Path) -> None:
    figures = ("memory", "timelines", "inference", "trade-off", "loss")
    outputs = [part for name in figures for part in (f"--{name}-figure", tmp_path / f"{name}.svg")]
    given = inputs("--memory", "--accuracy", "--losses")
    done = run("illustrate", "--config", study_file, *given, *outputs)
    assert done.returncode == 0, done.stderr
    assert len(list(tmp_path.glob("*.svg"))) == 5
    validated = [*inputs("--validation"), "--validation-figure", tmp_path / "validation.svg"]
    done = run("illustrate", "--config", study_file, *given, *outputs, *validated)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "validation.svg").stat().st_size > 1000


def test_illustrate_page(study_file: Path, inputs: Callable[..., list[object]], tmp_path: Path) -> None:
    output = tmp_path / "figures.html"
    given = inputs("--memory", "--accuracy", "--losses")
    heading = "<h2>Accuracy over the training</h2>"
    for validation, drawn in (([], False), (inputs("--validation"), True)):
        done = run("illustrate_page", "--config", study_file, *given, *validation, "--output", output)
        assert done.returncode == 0, done.stderr
        assert output.stat().st_size > 500_000
        assert (heading in output.read_text()) == drawn


def test_summarise(study_file: Path, inputs: Callable[..., list[object]], tmp_path: Path) -> None:
    verdicts, output = tmp_path / "verdicts.csv", tmp_path / "front_page.html"
    given = inputs("--memory", "--accuracy", "--floors", "--losses")
    judged = run("judge", "--config", study_file, "--claims", CLAIMS, *given, "--output", verdicts)
    assert judged.returncode == 0, judged.stderr
    given = inputs("--budgets", "--memory", "--measured", "--accuracy")
    done = run("summarise", "--config", study_file, *given, "--verdicts", verdicts, "--output", output)
    assert done.returncode == 0, done.stderr
    assert "Which configuration for my card?" in output.read_text()
    assert "bf16 mixed precision saves about 30 to 50 % of the memory." in output.read_text()


def test_illustrate_timeline(study_file: Path, results: Path, tmp_path: Path) -> None:
    memory, output = results / "memory/predicted/lean.json", tmp_path / "timeline.svg"
    done = run("illustrate_timeline", "--config", study_file, "--memory", memory, "--output", output)
    assert done.returncode == 0, done.stderr
    assert output.stat().st_size > 1000


def test_illustrate_budgets(study_file: Path, inputs: Callable[..., list[object]], tmp_path: Path) -> None:
    output = tmp_path / "budgets.svg"
    done = run("illustrate_budgets", "--config", study_file, *inputs("--budgets"), "--output", output)
    assert done.returncode == 0, done.stderr
    assert output.stat().st_size > 1000
