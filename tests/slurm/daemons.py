"""Processes that outlive the one that starts them, and are known by the file that holds their number."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import psutil


class Daemon(NamedTuple):
    """``command`` stays in the foreground; what it says goes to ``state/log/<name>.log``."""

    name: str
    command: tuple[str | Path, ...]
    state: Path

    def start(self, **environment: str) -> None:
        with (self.state / "log" / f"{self.name}.log").open("a") as log:
            process = subprocess.Popen(
                self.command,
                env=os.environ | environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        # it is stopped by its number, perhaps by another process
        process.returncode = 0
        born = psutil.Process(process.pid).create_time()
        _number_file(self.state, self.name).write_text(f"{process.pid} {born}")


def stop(state: Path, name: str, with_signal: signal.Signals = signal.SIGTERM) -> None:
    """End the daemon ``name``, if it runs; by force after ten seconds."""
    number_file = _number_file(state, name)
    if not number_file.exists():
        return
    number, born = number_file.read_text().split()
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(int(number))
        # another process may have the number by now
        if process.create_time() == float(born):
            _end(process, with_signal)
    number_file.unlink()


def _end(process: psutil.Process, with_signal: signal.Signals) -> None:
    process.send_signal(with_signal)
    _, alive = psutil.wait_procs([process], timeout=10)
    for one in alive:
        one.kill()
    psutil.wait_procs(alive, timeout=10)


def running(state: Path) -> list[str]:
    """Names of the daemons that were started and not stopped, the last one first."""
    files = sorted((state / "run").glob("*.number"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
    return [path.stem for path in files]


def wait_until(true: Callable[[], bool], seconds: float, what: str, between: float = 0.2) -> None:
    """Look every ``between`` seconds. Raises ``TimeoutError`` naming ``what`` when it is not true in time."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {seconds:.0f} seconds")
        time.sleep(between)


def _number_file(state: Path, name: str) -> Path:
    return state / "run" / f"{name}.number"
