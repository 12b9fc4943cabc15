"""What strikes a training on the cluster, once, and what became of the study."""

import re
import shutil
import signal
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import cluster as slurm
import miniature
import psutil
from daemons import wait_until
from miniature import RESULTS, Job

LOG = RESULTS / "logs/train/baseline/seed-0.log"
MODEL = RESULTS / "train/baseline/seed-0/model.safetensors"
OF_TRAINING = (RESULTS / "train", RESULTS / "eval/baseline", LOG)
TABLE = RESULTS / "tables/accuracy.csv"


class Fault(NamedTuple):
    """What the training asks for, what happens to it, what SLURM calls that, and how Snakemake learns of it.

    ``strike`` is told the job, the folder of the study and that of the cluster. A ``warned`` training was
    sent a signal in time to keep its state.
    """

    resources: dict[str, int]
    strike: Callable[[Job, Path, Path], None]
    state: str
    status_command: str
    warned: bool = False
    arguments: tuple[str, ...] = ()


class Outcome(NamedTuple):
    """What became of a study: its trainings as SLURM knows them, the last one's first step, its tables."""

    trainings: list[Job]
    first_step: int
    tables: dict[str, bytes]


def hang(_job: Job, folder: Path, _cluster: Path) -> None:
    """After a step the training stops, and so does its log."""
    freeze(folder)


def warn(_job: Job, folder: Path, _cluster: Path) -> None:
    """The training is held until SLURM has sent it the signal that it sends before the time limit."""
    training = freeze(folder)
    wait_until(lambda: is_sent(signal.SIGUSR1, training), 180, "SLURM sends SIGUSR1")
    training.resume()


def cancel(job: Job, folder: Path, _cluster: Path) -> None:
    freeze(folder)
    slurm.command("scancel", str(job.number))


def crash(job: Job, folder: Path, cluster: Path) -> None:
    freeze(folder)
    slurm.crash_node(cluster, job.node, str(job.number))


def ask_for_too_little(_job: Job, _folder: Path, _cluster: Path) -> None:
    """Importing torch alone takes more than what the first attempt asks for."""


FAULTS = {
    "over its time limit": Fault({"runtime": 1}, hang, "TIMEOUT", "sacct"),
    "warned before its time limit": Fault(
        {"runtime": 2},
        warn,
        "FAILED",
        "squeue",
        warned=True,
        arguments=("--default-resources", "slurm_extra='--signal=USR1@30'"),
    ),
    "cancelled": Fault({}, cancel, "CANCELLED", "squeue"),
    "over its memory": Fault({"mem_mb": 350}, ask_for_too_little, "OUT_OF_MEMORY", "sacct"),
    "on a node that goes down": Fault({}, crash, "NODE_FAIL", "squeue"),
}


def untrained(study: Path, folder: Path) -> Path:
    """A copy of the finished ``study`` that has to train again."""
    shutil.copytree(study, folder, dirs_exist_ok=True)
    for path in OF_TRAINING:
        shutil.rmtree(folder / path) if path.suffix == "" else (folder / path).unlink()
    for name in tables(folder):
        (folder / TABLE.with_name(name)).unlink()
    return folder


def struck(fault: Fault, folder: Path, cluster: Path) -> Outcome:
    """Train on the cluster, be struck, train again; then evaluate and tabulate without the cluster."""
    miniature.write(folder, train=fault.resources)
    status = ("--slurm-status-command", fault.status_command)
    with ThreadPoolExecutor() as pool:
        run = pool.submit(miniature.on_cluster, folder, *status, *fault.arguments, "--", str(MODEL))
        wait_until(lambda: ended(run) or training_runs(folder), 300, "the training runs")
        fault.strike(trainings(folder)[0], folder, cluster)
        run.result()
    first_step = int(re.findall(r"(\d+)/\d+ \[", (folder / LOG).read_text())[0])
    trained = (folder / MODEL).stat().st_mtime_ns
    miniature.here(folder, "--", str(TABLE))
    assert (folder / MODEL).stat().st_mtime_ns == trained
    return Outcome(trainings(folder), first_step, tables(folder))


def tables(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / RESULTS / "tables").glob("accuracy.*")}


def trainings(folder: Path) -> list[Job]:
    return [job for job in miniature.jobs(folder) if job.rule.startswith("rule_train")]


def training_runs(folder: Path) -> bool:
    return (folder / LOG).exists() and any(job.state == "RUNNING" for job in trainings(folder))


def ended(run: Future) -> bool:
    """Raises what ended it, if anything did."""
    return run.done() and bool(run.result())


def freeze(folder: Path) -> psutil.Process:
    """Stop the training once it has done a step. SLURM's own way to stop would hold back its signals, too."""
    wait_until(
        lambda: bool(re.search(r" [1-9]\d*/", (folder / LOG).read_text())), 120, "a step is done", 0.05
    )
    training = training_process(folder)
    training.suspend()
    return training


def training_process(folder: Path) -> psutil.Process:
    """The one that trains in ``folder``."""
    (found,) = (
        process
        for process in psutil.process_iter(["cmdline", "cwd"])
        if process.info["cwd"] == str(folder)
        and (process.info["cmdline"] or [])[1:3] == ["-m", "cotracker_pipeline.train"]
    )
    return found


def is_sent(number: signal.Signals, process: psutil.Process) -> bool:
    """Whether the signal awaits a process that is stopped."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    pending = (int(mask, 16) for mask in re.findall(r"^(?:Shd|Sig)Pnd:\s*(\w+)", status, re.MULTILINE))
    return any(mask >> (number - 1) & 1 for mask in pending)
