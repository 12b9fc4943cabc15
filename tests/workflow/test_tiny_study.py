"""The tiny study for real: every rule, from an empty folder to the report."""

import json
from pathlib import Path

import pandas as pd
import pytest
from browser import opened
from running import ROOT, TINY, cloned, snakemake

pytestmark = pytest.mark.slow


def run_all(folder: Path) -> str:
    done = snakemake(
        folder, "--cores", "all", "--configfile", TINY, PYTHONPATH=str(ROOT), OMP_NUM_THREADS="1"
    )
    assert done.returncode == 0, done.stdout[-4000:]
    return done.stdout


LARGEST_REPORT = 12_000_000
#: What each category of the report must show.
SHOWN = {
    "Answers": "table",
    "Clips": "canvas",
    "Figures": "figure svg.marks",
    "Scenes": "svg circle",
    "Tables": "table",
    "Verdicts": "table",
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the tiny study was run."""
    folder = cloned(tmp_path_factory.mktemp("first"), "cotracker_pipeline")
    assert f"The report: {folder / 'results/tiny/report.html'}" in run_all(folder)
    return folder


def test_the_tiny_study_runs_to_its_report_and_then_has_nothing_to_do(finished: Path) -> None:
    results = finished / "results/tiny"
    report = results / "report.html"
    assert 100_000 < report.stat().st_size < LARGEST_REPORT
    curve = pd.read_csv(results / "train/baseline/seed-0/validation.csv")
    assert curve["step"].tolist() == [1, 2]
    assert (results / "figures/validation.svg").stat().st_size > 1000
    accuracy = pd.read_csv(results / "tables/accuracy.csv")
    memory = pd.read_csv(results / "tables/memory.csv")
    assert {"baseline", "static"} <= set(accuracy["subject"].str.replace(" (floor)", ""))
    assert (memory["value"].dropna() >= 0).all()
    assert "Nothing to be done" in run_all(finished)
    look_at(report)


def look_at(report: Path) -> None:
    """Open every page of the report, in a browser where there is one."""
    with opened(report) as page:
        front = page.locator(".prose")
        assert "Which configuration for my card?" in front.inner_text()
        assert "More: Answers, Clips, Figures, Scenes, Tables, Verdicts;" in front.inner_text()
        for category, drawn in SHOWN.items():
            page.locator(".prose a, li a").get_by_text(category, exact=True).first.click()
            page.locator("tbody a").first.click()
            page.frame_locator("iframe").locator(drawn).first.wait_for()
            page.reload()
        page.get_by_text("Tables", exact=True).first.click()
        page.locator("tbody a").first.click()
        table = page.frame_locator("iframe").locator("table").first
        table.locator("th button").first.click()
        names = table.locator("tbody td:first-child").all_inner_texts()
        assert names == sorted(names)


def test_another_folder_gives_the_same_tables_byte_for_byte(finished: Path, tmp_path: Path) -> None:
    """And before them the same weights, evaluations and predictions: none holds a date, time or folder."""
    run_all(cloned(tmp_path, "cotracker_pipeline"))
    first, second = (produced(folder / "results/tiny") for folder in (finished, tmp_path))
    assert len([path for path in first if path.parts[0] == "tables"]) >= 4 * 7
    assert first.keys() == second.keys()
    assert [str(path) for path in first if first[path] != second[path]] == []


def produced(results: Path) -> dict[Path, bytes]:
    """The files of a study but for pages, figures, and what holds seconds: loss curves, logs, benchmarks."""
    weights = ("train/**/*.safetensors", "train/**/validation.csv")
    patterns = ("tables/*", "eval/**/*.csv", "memory/**/*.json", *weights)
    paths = sorted(path for pattern in patterns for path in results.glob(pattern))
    return {path.relative_to(results): content(path) for path in paths}


def content(path: Path) -> bytes:
    """The bytes of a file; of weights with the metadata in order, which their library writes in any."""
    raw = path.read_bytes()
    if path.suffix != ".safetensors":
        return raw
    end = 8 + int.from_bytes(raw[:8], "little")
    return json.dumps(json.loads(raw[8:end]), sort_keys=True).encode() + raw[end:]
