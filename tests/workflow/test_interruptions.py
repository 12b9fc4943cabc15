"""Snakemake and its trainings: signals, a lock that is left behind, two at once in one folder."""

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
from running import ROOT, cloned, snakemake, started
from tiny_training import prepare

pytestmark = pytest.mark.slow

#: Enough that the training is still running when Snakemake has started once more.
STEPS = 60


class Study:
    """A study of one training, in a folder that others may share."""

    def __init__(self, folder: Path, name: str, steps: int = STEPS) -> None:
        self.folder = folder
        self.file = prepare(folder, name, steps)
        self.results = folder / "results" / name
        self.trained = self.results / "train/baseline/seed-0"
        self.log = self.results / "logs/train/baseline/seed-0.log"

    def arguments(self, *more: str) -> tuple[str, ...]:
        target = str((self.trained / "model.safetensors").relative_to(self.folder))
        return ("--cores", "1", "--configfile", self.file.name, *more, "--", target)

    def run(self, *more: str) -> subprocess.CompletedProcess[str]:
        return snakemake(self.folder, *self.arguments(*more), PYTHONPATH=str(ROOT), OMP_NUM_THREADS="1")

    def start(self, *more: str) -> subprocess.Popen[str]:
        """Returns when the training has kept a state."""
        process = started(self.folder, *self.arguments(*more), PYTHONPATH=str(ROOT), OMP_NUM_THREADS="1")
        while not list(self.trained.glob("state/state-*")):
            assert process.poll() is None, process.communicate()[0]
            time.sleep(0.05)
        return process

    def completes(self) -> None:
        done = self.run()
        assert done.returncode == 0, done.stdout
        assert (self.trained / "model.safetensors").exists()
        assert not (self.trained / "state").exists()


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return Study(cloned(tmp_path), "one")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1, signal.SIGINT])
def test_a_signal_to_all_processes_lets_the_training_keep_its_state(number, study):
    process = study.start()
    os.killpg(process.pid, number)
    assert process.communicate()[0]
    assert process.returncode != 0
    last = study.log.read_text().splitlines()[-1]
    assert last.startswith(f"stopped: {number.name} came; results/one/train/baseline/seed-0/state holds the ")
    assert list(study.trained.glob("state/state-*"))


def test_snakemake_passes_on_the_warning_before_a_time_limit(study):
    process = study.start()
    os.kill(process.pid, signal.SIGUSR1)
    said = process.communicate()[0]
    assert process.returncode == 1, said
    assert study.log.read_text().splitlines()[-1].startswith("stopped: SIGUSR1 came; ")


def test_after_ctrl_c_twice_the_same_command_continues(study):
    process = study.start()
    os.killpg(process.pid, signal.SIGINT)
    time.sleep(0.2)
    os.killpg(process.pid, signal.SIGINT)
    process.communicate()
    assert process.returncode != 0
    assert list(study.trained.glob("state/state-*"))
    study.completes()
    assert re.search(r"\| *([1-9]\d*)/60 \[00:00<\?", study.log.read_text())


def test_a_training_that_was_asked_to_stop_is_repeated_and_continues(study):
    process = study.start("--retries", "1")
    (training,) = (
        int(folder.name)
        for folder in Path("/proc").iterdir()
        if folder.name.isdigit() and is_training(folder, process.pid)
    )
    os.kill(training, signal.SIGTERM)
    said = process.communicate()[0]
    assert process.returncode == 0, said
    assert "Trying to restart job" in said
    # the second attempt has the log for itself, and did not begin at the first step
    assert re.search(r"\| *([1-9]\d*)/60 \[00:00<\?", study.log.read_text())


def is_training(process: Path, group: int) -> bool:
    try:
        command = (process / "cmdline").read_bytes().split(b"\0")
        return os.getpgid(int(process.name)) == group and command[1:3] == [b"-m", b"cotracker_pipeline.train"]
    except (ProcessLookupError, FileNotFoundError):
        return False


def test_a_lock_that_is_left_behind_is_told_and_removed(study):
    process = study.start()
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    refused = study.run()
    assert refused.returncode != 0
    assert "Directory cannot be locked" in refused.stdout
    assert "--unlock" in refused.stdout
    unlocked = study.run("--unlock")
    assert unlocked.returncode == 0, unlocked.stdout
    study.completes()


def test_two_studies_in_one_folder_do_not_meet(tmp_path):
    study = Study(cloned(tmp_path), "one", steps=2000)
    other = Study(study.folder, "two", steps=4)
    process = study.start()
    other.completes()
    assert process.poll() is None
    # Snakemake has removed both locks now; that of the study holds
    kept = (study.results / "study.yaml").read_bytes()
    prepare(study.folder, "one", steps=7)
    refused = study.run()
    assert refused.returncode != 0
    told = "error: results/one/.lock: another Snakemake is still running here; wait for it, or end it"
    assert told in refused.stdout
    assert "Traceback" not in refused.stdout
    assert (study.results / "study.yaml").read_bytes() == kept
    assert process.poll() is None
    os.killpg(process.pid, signal.SIGTERM)
    process.communicate()
    assert study.log.read_text().splitlines()[-1].startswith("stopped: SIGTERM came")
    assert {path.name for path in (study.folder / "results").iterdir()} == {"one", "two", "reference"}


def test_the_same_study_twice_is_refused(study):
    process = study.start()
    refused = study.run()
    assert refused.returncode != 0
    assert "Directory cannot be locked" in refused.stdout
    said = process.communicate()[0]
    assert process.returncode == 0, said
