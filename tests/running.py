"""Running the workflow in a folder of its own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

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
