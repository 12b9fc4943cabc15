"""Two minutes of coverage-guided fuzzing, where atheris is installed (``pip install -e '.[fuzz]'``)."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SECONDS = 120


@pytest.mark.slow
def test_readers_withstand_two_minutes(tmp_path: Path) -> None:
    pytest.importorskip("atheris", reason="needs pip install -e '.[fuzz]'")
    # the memory of the process that starts it counts as its own: only single requests are limited
    limits = [f"-max_total_time={SECONDS}", "-seed=1", "-rss_limit_mb=0", "-malloc_limit_mb=2048"]
    command = [sys.executable, Path(__file__).with_name("fuzz_readers.py"), *limits]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert not list(tmp_path.iterdir())
