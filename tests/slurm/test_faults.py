"""Each fault strikes the training once: it is repeated, and the tables equal those of a run without."""

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import cluster as slurm
import configuration
import daemons
import miniature
import pytest
from daemons import wait_until
from miniature import RESULTS, Finished, Job, accounted, jobs

pytestmark = [pytest.mark.slurm, pytest.mark.slow]

LOG = RESULTS / "logs/train/baseline/seed-0.log"
MODEL = RESULTS / "train/baseline/seed-0/model.safetensors"
OF_TRAINING = (RESULTS / "train", RESULTS / "eval/baseline", LOG)
TABLE = RESULTS / "tables/accuracy.csv"


def hang(job: Job, _cluster: Path) -> None:
    """All processes of the job stop, and so does its log; its limit is a minute."""
    slurm.command("scancel", "--signal=STOP", str(job.number))


def cancel(job: Job, _cluster: Path) -> None:
    slurm.command("scancel", str(job.number))


def crash(job: Job, cluster: Path) -> None:
    slurm.crash_node(cluster, job.node, str(job.number))


def ask_for_too_little(_job: Job, _cluster: Path) -> None:
    """Importing torch alone takes more than what the first attempt asks for."""


class Fault(NamedTuple):
    """What the training asks for, what happens to it, and what SLURM calls that."""

    resources: dict[str, int]
    strike: Callable[[Job, Path], None]
    state: str


FAULTS = {
    "over its time limit": Fault({"runtime": 1}, hang, "TIMEOUT"),
    "over its memory": Fault({"mem_mb": 350}, ask_for_too_little, "OUT_OF_MEMORY"),
    "cancelled": Fault({}, cancel, "CANCELLED"),
    "on a node that goes down": Fault({}, crash, "NODE_FAIL"),
}


@pytest.fixture
def repaired(cluster: Path) -> Iterator[Path]:
    """The cluster, of which nodes that a test took down come back after it."""
    yield cluster
    for node in set(configuration.node_names(slurm.SIZE)) - set(daemons.running(cluster)):
        slurm.start_node(cluster, node)
    wait_until(lambda: slurm.states() == {"idle"}, 60, "all nodes are idle")


@pytest.fixture
def untrained(undisturbed: Finished, tmp_path: Path) -> Path:
    """A copy of the finished study that has to train again."""
    folder = shutil.copytree(undisturbed.folder, tmp_path, dirs_exist_ok=True)
    for path in OF_TRAINING:
        shutil.rmtree(folder / path) if path.suffix == "" else (folder / path).unlink()
    for table in tables(folder).values():
        table.unlink()
    return folder


def tables(folder: Path) -> dict[str, Path]:
    return {path.name: path for path in (folder / RESULTS / "tables").glob("accuracy.*")}


def trainings(since: int) -> list[Job]:
    return [job for job in jobs(since) if job.rule.startswith("rule_train")]


def training_runs(since: int, run: Future, folder: Path) -> bool:
    if run.done():
        pytest.fail(f"ended before the training ran: {run.result().stdout[-4000:]}")
    return (folder / LOG).exists() and any(job.state == "RUNNING" for job in trainings(since))


@pytest.mark.parametrize("name", FAULTS)
def test_a_training_recovers(name: str, untrained: Path, undisturbed: Finished, repaired: Path) -> None:
    fault = FAULTS[name]
    if fault.state == "OUT_OF_MEMORY" and not configuration.limits_memory():
        pytest.skip("SLURM limits memory through cgroup v1, which cannot be written here")
    before = miniature.last_job()
    miniature.write(untrained, train=fault.resources)
    with ThreadPoolExecutor() as pool:
        run = pool.submit(
            miniature.on_cluster, untrained, "--slurm-status-command", "squeue", "--", str(MODEL)
        )
        wait_until(lambda: training_runs(before, run, untrained), 120, "the training runs")
        struck = trainings(before)[0]
        fault.strike(struck, repaired)
        run.result()
    trained = (untrained / MODEL).stat().st_mtime_ns
    first, *_, last = trainings(before)
    assert fault.state in accounted(first, "State%30")
    assert last.state == "COMPLETED"
    miniature.here(untrained, "--", str(TABLE))
    assert (untrained / MODEL).stat().st_mtime_ns == trained
    undisturbed_tables = {name: path.read_bytes() for name, path in tables(undisturbed.folder).items()}
    assert len(undisturbed_tables) == 4
    assert {name: path.read_bytes() for name, path in tables(untrained).items()} == undisturbed_tables
