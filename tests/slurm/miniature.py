"""The smallest study that passes through every rule, on the cluster, and the jobs that it was."""

from pathlib import Path
from subprocess import CompletedProcess
from typing import Any, NamedTuple

import yaml
from cluster import command
from configuration import GPU_MODEL
from running import ROOT, TINY, cloned, snakemake

STUDY = "config/miniature.yaml"
RESULTS = Path("results/miniature")
STEPS = 40


class Job(NamedTuple):
    """A job as SLURM knows it; ``rule`` is the rule's name and the wildcards of the job."""

    number: int
    state: str
    rule: str
    node: str


class Finished(NamedTuple):
    """Where the study ran, and as which jobs."""

    folder: Path
    jobs: list[Job]


def prepared(folder: Path) -> Path:
    """``folder`` with the workflow and the study."""
    write(cloned(folder, "cotracker_pipeline"))
    return folder


def write(folder: Path, **resources: dict[str, int]) -> None:
    """The study, of which rules ask for ``resources``; measurements take place on a GPU."""
    study: dict[str, Any] = yaml.safe_load((ROOT / TINY).read_text())
    del study["ablations"], study["training"]["warm_up"]
    del study["data"]["validation"], study["training"]["validate_every"]
    # long enough to be struck; only a signal makes it keep its state before the end
    study["recipe"]["steps"] = STEPS
    study["training"].update(seeds=[0], save_every=10 * STEPS)
    study["evaluation"]["baselines"] = ["static"]
    study["data"]["train"]["render"].update(sequences=1, shards=1)
    gpu = {"partition": "gpu", "gpu_model": GPU_MODEL, "mem_mb": 1500}
    study |= {
        "study": RESULTS.name,
        "variants": {"baseline": {}},
        "resources": {"measure_memory": gpu, **resources},
    }
    (folder / STUDY).write_text(yaml.safe_dump(study))


def on_cluster(folder: Path, *arguments: str) -> CompletedProcess[str]:
    """Run the workflow with the profile, but look for finished jobs sooner."""
    return _run(
        folder,
        *("--profile", "profiles/slurm", "--slurm-no-account", "--latency-wait", "10"),
        *("--slurm-init-seconds-before-status-checks", "2", "--seconds-between-status-checks", "2"),
        *arguments,
    )


def here(folder: Path, *arguments: str) -> CompletedProcess[str]:
    """Run the workflow without the cluster."""
    return _run(folder, "--cores", "1", *arguments)


def _run(folder: Path, *arguments: str) -> CompletedProcess[str]:
    done = snakemake(folder, "--configfile", STUDY, *arguments, PYTHONPATH=str(ROOT), OMP_NUM_THREADS="1")
    assert done.returncode == 0, done.stdout[-4000:]
    return done


def jobs(folder: Path) -> list[Job]:
    """All jobs of the study in ``folder``, the first one first."""
    listing = command("squeue", "--states=all", "--noheader", "--format=%i|%T|%k|%N|%Z")
    rows = (line.split("|") for line in listing.splitlines())
    return sorted(Job(int(number), *rest) for number, *rest, place in rows if place == str(folder))


def accounted(job: Job, column: str) -> list[str]:
    """A column of the accounting, for the job and each of its steps."""
    return command("sacct", "--noheader", "--parsable2", f"--jobs={job.number}", f"--format={column}").split()
