"""Running the workflow in a folder of its own."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
TINY = "config/test/tiny.yaml"


def cloned(folder: Path, *more: str) -> Path:
    """``folder`` with all that the workflow reads, and ``more`` of the repository."""
    for name in ("Snakefile", "workflow", "profiles", "config", "results/reference", *more):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, folder / name)
    return folder


def snakemake(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run it as a user who has not activated the virtual environment; all that it says is in ``stdout``."""
    process = started(folder, *arguments, **environment)
    said, _ = process.communicate()
    return subprocess.CompletedProcess(process.args, process.returncode, said)


def started(folder: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    """The same while it runs, in a process group of its own."""
    return subprocess.Popen(
        [BIN / "snakemake", *arguments],
        cwd=folder,
        env={**os.environ, "PATH": os.defpath, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def planned(folder: Path, *arguments: str, **environment: str) -> dict[str, int]:
    """The number of jobs of each rule in a dry run."""
    done = snakemake(folder, "--dry-run", *arguments, **environment)
    assert done.returncode == 0, done.stdout
    table = re.search(r"^Job stats:\n.*?\n-[- ]*\n(.*?)\n\n", done.stdout, re.DOTALL | re.MULTILINE)
    rows = [line.split() for line in table[1].splitlines()] if table else []
    return {rule: int(count) for rule, count in rows if rule != "total"}


def change(path: Path, edit: Callable[[Any], None]) -> None:
    values = yaml.safe_load(path.read_text())
    edit(values)
    path.write_text(yaml.safe_dump(values, sort_keys=False))


def as_done(folder: Path, config: str = TINY, **environment: str) -> Path:
    """``folder`` in which a study is done, its files being empty."""
    summary = snakemake(folder, "--configfile", config, "--summary", **environment)
    assert summary.returncode == 0, summary.stdout
    for line in summary.stdout.splitlines():
        if line.startswith("results/"):
            path = folder / line.split("\t")[0]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    touched = snakemake(
        folder, "--configfile", config, "--cores", "1", "--touch", "--forceall", **environment
    )
    assert touched.returncode == 0, touched.stdout
    return folder


def shown(document: str, language: str) -> list[str]:
    """The blocks of ``language`` in a document of ``docs``, without the lines around them."""
    return re.findall(
        rf"^```{language}\n(.*?)^```$", (ROOT / "docs" / document).read_text(), re.DOTALL | re.MULTILINE
    )
