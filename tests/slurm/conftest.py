"""One cluster for all tests, and the study that ran on it undisturbed."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import cluster as slurm
import miniature
import pytest
from faults import FAULTS, struck, untrained
from miniature import Finished


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a SLURM with four nodes."""
    if reason := slurm.missing():
        pytest.skip(reason)
    state = tmp_path_factory.mktemp("slurm") / "cluster"
    try:
        slurm.up(state)
        yield state
    finally:
        slurm.down(state)


@pytest.fixture(scope="session")
def undisturbed(cluster: Path, tmp_path_factory: pytest.TempPathFactory) -> Finished:  # noqa: ARG001
    """The study that ran on ``cluster`` to its end."""
    folder = miniature.prepared(tmp_path_factory.mktemp("undisturbed"))
    miniature.on_cluster(folder, "--", "all", "measured")
    return Finished(folder, miniature.jobs(folder))


@pytest.fixture(scope="session")
def outcomes(
    cluster: Path, undisturbed: Finished, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future]]:
    """What becomes of the study at each fault. They strike at the same time, as most of it is waiting."""
    folders = {
        name: untrained(undisturbed.folder, tmp_path_factory.mktemp("struck") / "study") for name in FAULTS
    }
    with ThreadPoolExecutor(len(FAULTS)) as pool:
        yield {name: pool.submit(struck, fault, folders[name], cluster) for name, fault in FAULTS.items()}
