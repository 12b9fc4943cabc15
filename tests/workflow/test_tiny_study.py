"""The tiny study for real: every rule, from an empty folder to the report."""

from pathlib import Path

import pandas as pd
import pytest
from browser import opened
from running import ROOT, TINY, cloned, snakemake


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


@pytest.mark.slow
def test_the_tiny_study_runs_to_its_report_and_then_has_nothing_to_do(tmp_path: Path) -> None:
    said = run_all(cloned(tmp_path, "cotracker_pipeline"))
    results = tmp_path / "results/tiny"
    report = results / "report.html"
    assert f"The report: {report}" in said
    assert 100_000 < report.stat().st_size < LARGEST_REPORT
    accuracy = pd.read_csv(results / "tables/accuracy.csv")
    memory = pd.read_csv(results / "tables/memory.csv")
    assert {"baseline", "static"} <= set(accuracy["subject"].str.replace(" (floor)", ""))
    assert (memory["value"].dropna() >= 0).all()
    assert "Nothing to be done" in run_all(tmp_path)
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
