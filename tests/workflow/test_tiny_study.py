"""The tiny study for real: every rule, from an empty folder to the report."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


def snakemake(folder: Path) -> str:
    done = subprocess.run(
        [BIN / "snakemake", "--cores", "all", "--configfile", "config/test/tiny.yaml"],
        cwd=folder,
        env={**os.environ, "PATH": os.defpath, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    return done.stdout


@pytest.mark.slow
def test_the_tiny_study_runs_to_its_report_and_then_has_nothing_to_do(tmp_path: Path) -> None:
    for name in ("Snakefile", "workflow", "profiles", "config", "cotracker_pipeline"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    snakemake(tmp_path)
    results = tmp_path / "results/tiny"
    assert (results / "report.html").stat().st_size > 100_000
    accuracy = pd.read_csv(results / "tables/accuracy.csv")
    memory = pd.read_csv(results / "tables/memory.csv")
    assert {"baseline", "static"} <= set(accuracy["subject"].str.replace(" (floor)", ""))
    assert (memory["value"].dropna() >= 0).all()
    assert "Nothing to be done" in snakemake(tmp_path)
