"""The tiny study for real: every rule, from an empty folder to the report."""

from pathlib import Path

import pandas as pd
import pytest
from running import ROOT, TINY, cloned, snakemake


def run_all(folder: Path) -> str:
    done = snakemake(
        folder, "--cores", "all", "--configfile", TINY, PYTHONPATH=str(ROOT), OMP_NUM_THREADS="1"
    )
    assert done.returncode == 0, done.stdout[-4000:]
    return done.stdout


@pytest.mark.slow
def test_the_tiny_study_runs_to_its_report_and_then_has_nothing_to_do(tmp_path: Path) -> None:
    run_all(cloned(tmp_path, "cotracker_pipeline"))
    results = tmp_path / "results/tiny"
    assert (results / "report.html").stat().st_size > 100_000
    accuracy = pd.read_csv(results / "tables/accuracy.csv")
    memory = pd.read_csv(results / "tables/memory.csv")
    assert {"baseline", "static"} <= set(accuracy["subject"].str.replace(" (floor)", ""))
    assert (memory["value"].dropna() >= 0).all()
    assert "Nothing to be done" in run_all(tmp_path)
