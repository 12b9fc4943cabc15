"""A study on a real SLURM, from an empty folder to the report."""

import configuration
import miniature
import pytest
from cluster import SIZE, command
from miniature import Finished, accounted

pytestmark = [pytest.mark.slurm, pytest.mark.slow]


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
