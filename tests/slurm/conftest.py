"""One cluster for all tests, and the study that ran on it undisturbed."""

import os
from collections.abc import Iterator
from pathlib import Path

import cluster as slurm
import miniature
import pytest
from miniature import Finished


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a SLURM with four nodes."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        pytest.skip("a machine holds one cluster: run pytest -m slurm by itself")
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
    before = miniature.last_job()
    miniature.on_cluster(folder, "--", "all", "measured")
    return Finished(folder, miniature.jobs(before))
