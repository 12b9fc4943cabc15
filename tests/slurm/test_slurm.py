"""A study on a real SLURM, from an empty folder to the report, and trainings that a fault strikes."""

from concurrent.futures import Future
from pathlib import Path

import configuration
import miniature
import numpy as np
import pandas as pd
import pytest
import yaml
from cluster import SIZE, command
from faults import FAULTS, tables
from miniature import Finished, accounted

# one file, so that one worker of pytest-xdist has them all: a machine holds one cluster
pytestmark = [pytest.mark.slurm, pytest.mark.slow, pytest.mark.timeout(1500)]

CURVE = miniature.RESULTS / "train/baseline/seed-0/loss.csv"


@pytest.mark.usefixtures("cluster")
def test_four_nodes_are_up_with_their_gpus() -> None:
    nodes = command("sinfo", "--noheader", "--Node", "--partition=gpu", "--format=%N|%G").splitlines()
    gpus = f"gpu:{configuration.GPU_MODEL}:{SIZE.gpus}"
    assert nodes == [f"{name}|{gpus}" for name in configuration.node_names(SIZE)]


def test_a_study_runs_over_all_nodes_to_its_report(undisturbed: Finished) -> None:
    assert (undisturbed.folder / miniature.RESULTS / "report.html").stat().st_size > 100_000
    assert {job.state for job in undisturbed.jobs} == {"COMPLETED"}
    assert {job.node for job in undisturbed.jobs} == set(configuration.node_names(SIZE))
    assert "Nothing to be done" in miniature.on_cluster(undisturbed.folder, "--", "all", "measured").stdout


def test_only_the_measurement_had_a_gpu(undisturbed: Finished) -> None:
    allocated = {job.rule: accounted(job, "AllocTRES%99")[0] for job in undisturbed.jobs}
    with_gpu = [rule for rule, resources in allocated.items() if "gres/gpu=1" in resources]
    assert with_gpu == ["rule_measure_memory_wildcards_baseline"]


@pytest.mark.usefixtures("undisturbed")
def test_two_nodes_train_as_one_process(tmp_path: Path) -> None:
    alone, spread = of_four_clips(tmp_path / "alone"), of_four_clips(tmp_path / "spread", nodes=2)
    miniature.here(alone, "--", str(CURVE))
    miniature.on_cluster(spread, "--", str(CURVE))
    (training,) = (job for job in miniature.jobs(spread) if job.rule.startswith("rule_train_"))
    assert training.state == "COMPLETED"
    # node[1-2]
    assert "-" in training.node or "," in training.node
    curves = [pd.read_csv(folder / CURVE).drop(columns="seconds") for folder in (alone, spread)]
    assert len(curves[0]) == 4
    np.testing.assert_allclose(curves[1], curves[0], rtol=1e-4)


def of_four_clips(folder: Path, **keys: int) -> Path:
    """``folder`` with the study, which trains four steps of four clips with these ``keys``."""
    folder.mkdir()
    path = miniature.prepared(folder) / miniature.STUDY
    study = yaml.safe_load(path.read_text())
    study["recipe"]["steps"] = 4
    study["training"].update(keys)
    study["training"]["clip"]["batch_size"] = 4
    path.write_text(yaml.safe_dump(study))
    return folder


@pytest.mark.parametrize("name", FAULTS)
def test_a_training_recovers(name: str, undisturbed: Finished, outcomes: dict[str, Future]) -> None:
    fault = FAULTS[name]
    if fault.state == "OUT_OF_MEMORY" and not configuration.limits_memory():
        pytest.skip("SLURM limits memory through cgroup v1, which cannot be written here")
    outcome = outcomes[name].result()
    first, *_, last = outcome.trainings
    assert fault.state in accounted(first, "State%30")
    assert last.state == "COMPLETED"
    # a training that was warned has kept its state, and goes on from there; of the others nothing is left
    assert (outcome.first_step > 0) == fault.warned
    assert len(outcome.tables) == 4
    assert outcome.tables == tables(undisturbed.folder)
