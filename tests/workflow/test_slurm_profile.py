"""What the profile asks SLURM for, without a SLURM: its commands are stand-ins, and every job fails.

A job fails by ending without its output: when SLURM calls it failed, Snakemake waits longer each time.
"""

import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from running import TINY, cloned, snakemake

SITE = "config/site.yaml"
# each submission is a line of the file sbatch; its job's number is how many there were
STAND_INS = {
    "sbatch": 'echo "$@" >> sbatch; wc -l < sbatch',
    "squeue": 'for job in $(seq "$(wc -l < sbatch)"); do echo "$job|COMPLETED"; done',
    "scontrol": "echo 'MinJobAge = 300 sec'",
    "sinfo": "echo main",
    "sacctmgr": "echo mine",
}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder to run in, with stand-ins for SLURM in ``bin``."""
    (tmp_path / "bin").mkdir()
    for name, script in STAND_INS.items():
        command = tmp_path / "bin" / name
        command.write_text(f"#!/bin/sh\n{script}\n")
        command.chmod(0o755)
    return cloned(tmp_path)


def submissions(
    folder: Path, target: str, training: dict[str, Any] | None = None, **resources: dict[str, int | str]
) -> list[str]:
    """The arguments of each call of sbatch for ``target`` in a site with these ``resources`` by rule.

    ``training``: changes of that section of the study.
    """
    (folder / SITE).write_text(yaml.safe_dump({"resources": resources, "training": training or {}}))
    done = snakemake(
        folder,
        *("--profile", "profiles/slurm", "--configfile", TINY, SITE, "--slurm-status-command", "squeue"),
        *("--slurm-init-seconds-before-status-checks", "1", "--seconds-between-status-checks", "1"),
        *("--latency-wait", "1", "--default-resources", "slurm_account=mine", "slurm_partition=slow"),
        *("--", target),
        PATH=os.pathsep.join([str(folder / "bin"), os.defpath]),
    )
    assert done.returncode != 0, done.stdout
    return (folder / "sbatch").read_text().splitlines()


def asked(submission: str, option: str) -> str:
    found = re.search(rf"{re.escape(option)}[ =](\S+)", submission)
    assert found, submission
    return found[1]


def test_each_attempt_is_a_job_that_asks_for_more_up_to_the_limit(site: Path) -> None:
    jobs = submissions(
        site,
        "results/tiny/memory/measured/baseline.json",
        measure_memory={
            "mem_mb": 1000,
            "max_mem_mb": 2500,
            "runtime": 5,
            "partition": "fast",
            "gpu_model": "h100",
        },
    )
    assert [asked(job, "--mem") for job in jobs] == ["1000", "2000", "2500"]
    assert [asked(job, "-t") for job in jobs] == ["5", "10", "15"]
    for job in jobs:
        assert asked(job, "-p") == "fast"
        assert asked(job, "--gpus") == "h100:1"
        assert "--no-requeue" in job.split()


def test_a_rule_has_resources_of_its_own_and_only_gpu_jobs_ask_for_a_gpu(site: Path) -> None:
    jobs = submissions(
        site, "results/tiny/memory/predicted/baseline.json", predict_memory={"gpu_model": "h100"}
    )
    assert [asked(job, "--mem") for job in jobs] == ["1500", "3000", "4500"]
    assert [asked(job, "-t") for job in jobs] == ["20", "40", "60"]
    assert not any("--gpus" in job for job in jobs)
    assert {(asked(job, "-A"), asked(job, "-p")) for job in jobs} == {("mine", "slow")}


#: A training that waits for no other job.
ON_GPUS = {"device": "cuda", "warm_up": None, "threads": 3}


@pytest.fixture
def with_data(site: Path) -> Path:
    """``site`` with the shards of the study in place of their rendering."""
    study = yaml.safe_load((site / TINY).read_text())
    study["data"].update({split: {"files": ["0.h5"]} for split in ("train", "validation")})
    (site / TINY).write_text(yaml.safe_dump(study))
    (site / "0.h5").touch()
    return site


def test_a_training_of_several_gpus_asks_for_them_on_one_node(with_data: Path) -> None:
    training = {**ON_GPUS, "devices": 2, "clip": {"batch_size": 2}}
    first, *_ = submissions(
        with_data,
        "results/tiny/train/baseline/seed-0/model.safetensors",
        training,
        train={"gpu_model": "h100"},
    )
    assert asked(first, "--gres") == "gpu:h100:2"
    assert asked(first, "--nodes") == "1"
    assert asked(first, "--cpus-per-task") == "6"
    assert asked(first, "--mem") == "3000"
    assert "--ntasks" not in first


def test_a_training_of_several_nodes_asks_for_a_task_and_its_gpus_on_each(with_data: Path) -> None:
    training = {**ON_GPUS, "devices": 2, "nodes": 2, "clip": {"batch_size": 4}}
    first, *_ = submissions(
        with_data,
        "results/tiny/train/baseline/seed-0/model.safetensors",
        training,
        train={"gpu_model": "h100"},
    )
    assert asked(first, "--gres") == "gpu:h100:2"
    assert asked(first, "--nodes") == asked(first, "--ntasks") == "2"
    assert asked(first, "--cpus-per-task") == "6"
    assert "--gpus" not in first
    assert "--ntasks-per-gpu" not in first


def test_the_whole_study_is_planned_with_the_profile(site: Path) -> None:
    done = snakemake(site, "--profile", "profiles/slurm", "--configfile", TINY, "--dry-run")
    assert done.returncode == 0, done.stdout
    assert re.search(r"^train +6$", done.stdout, re.MULTILINE)
    assert not (site / "sbatch").exists()


def test_six_thousand_scenes_are_planned_as_job_arrays(site: Path) -> None:
    """The command of docs/engine.md: 240 shards for training and 6 to evaluate on."""
    scenes = ("--profile", "profiles/slurm", "--configfile", "config/scenes.yaml")
    done = snakemake(site, *scenes, "--slurm-array-jobs", "render", "--dry-run", "--", "data")
    assert done.returncode == 0, done.stdout
    assert re.search(r"^render +246$", done.stdout, re.MULTILINE)


def test_a_limit_below_what_is_asked_for_is_one_sentence(site: Path) -> None:
    train = {"runtime": 60, "max_runtime": 30}
    (site / SITE).write_text(yaml.safe_dump({"resources": {"train": train}}))
    done = snakemake(site, "--dry-run", "--configfile", TINY, SITE)
    assert done.returncode != 0
    last = done.stdout.strip().splitlines()[-1]
    assert last.startswith("error: ")
    assert last.endswith("resources.train: runtime 60 must not exceed max_runtime 30")
