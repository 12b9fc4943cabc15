"""What goes wrong in a training: one sentence, status 2, and nothing that was done is lost."""

import gc
import json
import math
import multiprocessing
import os
import resource
import signal
import time
from functools import partial
from itertools import count
from pathlib import Path

import pandas as pd
import pytest
import torch
from killed_training import WARM_UP, InStep, Run, continues, signalled, undisturbed_run
from tiny_training import STEPS, prepare

from cotracker_pipeline import train
from cotracker_pipeline.data.store import ShardReader
from cotracker_pipeline.models.checkpoints import read_metadata
from cotracker_pipeline.training.loop import Training
from cotracker_pipeline.training.matching_loop import Matching
from cotracker_pipeline.training.not_finite import MOST_IN_A_ROW


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("undisturbed")
    prepare(folder)
    return undisturbed_run(folder)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    prepare(tmp_path)
    return Run(tmp_path, "run")


def fails(run: Run, *traps: InStep) -> str:
    """The one sentence of a training that ends with an error."""
    assert run.finish(*traps) == 2, run.log.read_text()
    log = run.log.read_text()
    assert "Traceback" not in log
    last = log.splitlines()[-1]
    assert last.startswith("error: ")
    return last


def steps_kept(run: Run) -> int:
    return torch.load(max(run.state.glob("state-*")), weights_only=True)["step"]


class NotFiniteLoss:
    """That of these steps (from 0) is infinite, and so are the gradients."""

    def __init__(self, *steps: int) -> None:
        self.steps = steps

    def __call__(self, out: Path) -> None:
        del out
        loss = Training._loss

        def bad(training, batch):
            terms = loss(training, batch)
            return terms._replace(total=terms.total * math.inf) if training.step in self.steps else terms

        Training._loss = bad


def test_a_loss_that_is_not_finite_names_step_and_clip(run, undisturbed):
    sentence = fails(run, NotFiniteLoss(4))
    assert "the loss or its gradient is not finite at step 5, of " in sentence
    assert ".h5, sequence noise-" in sentence
    assert "set training.on_nan to skip" in sentence
    assert steps_kept(run) == 4
    continues(run, undisturbed)


def test_steps_that_are_not_finite_are_skipped_and_counted(tmp_path):
    prepare(tmp_path, on_nan="skip", log_every=1)
    whole, run = Run(tmp_path, "whole"), Run(tmp_path, "run")
    bad = NotFiniteLoss(3, 7)
    assert whole.finish(bad) == 0, whole.log.read_text()
    log = whole.log.read_text()
    assert "step 4, of 0.h5" in log or "step 4, of 1.h5" in log
    assert "2 steps were skipped as their loss was not finite: 4, 8" in log
    assert json.loads(read_metadata(whole.out / "model")["skipped_steps"]) == [4, 8]
    steps = pd.read_csv(whole.out / "loss.csv")["step"].tolist()
    assert steps == [step for step in range(1, STEPS + 1) if step not in (4, 8)]
    # also when it is interrupted between the two
    assert run.finish(bad, signalled(5, signal.SIGTERM)) == 143
    assert run.finish(bad) == 0
    assert run.results() == whole.results()
    assert json.loads(read_metadata(run.out / "model")["skipped_steps"]) == [4, 8]


def test_what_is_never_finite_ends_all_the_same(tmp_path):
    prepare(tmp_path, on_nan="skip")
    run = Run(tmp_path, "run")
    sentence = fails(run, NotFiniteLoss(*range(1, STEPS)))
    assert f"{MOST_IN_A_ROW} steps in a row, the last of them step {MOST_IN_A_ROW + 1}, of " in sentence


class NotFiniteMatching:
    """The loss of this step (from 0) of a warm-up, or its gradient alone, is infinite."""

    def __init__(self, step: int, gradient_alone: bool) -> None:
        self.step = step
        self.gradient_alone = gradient_alone

    def __call__(self, out: Path) -> None:
        del out
        loss = Matching._loss

        def bad(matching, batch):
            found = loss(matching, batch)
            if matching.step != self.step:
                return found
            if self.gradient_alone:
                found.register_hook(lambda gradient: gradient * math.inf)
            return found if self.gradient_alone else found * math.inf

        Matching._loss = bad


@pytest.mark.parametrize("gradient_alone", [False, True])
def test_a_warm_up_whose_loss_is_not_finite_stops_too(gradient_alone, tmp_path):
    prepare(tmp_path, warm_up=WARM_UP)
    whole, run = Run(tmp_path, "whole", "warm_up"), Run(tmp_path, "run", "warm_up")
    assert whole.finish() == 0, whole.log.read_text()
    sentence = fails(run, NotFiniteMatching(5, gradient_alone))
    assert "the loss of the warm-up or its gradient is not finite at step 6, of " in sentence
    assert ".h5, sequence noise-" in sentence
    assert "lower training.warm_up.learning_rate" in sentence
    assert steps_kept(run) == 5
    continues(run, whole)


def test_the_answer_to_it_may_change_between_two_attempts(run):
    fails(run, NotFiniteLoss(4))
    prepare(run.folder, on_nan="skip")
    assert run.finish(NotFiniteLoss(4)) == 0
    assert run.log.read_text().count("0/12") == 1


def exhaust() -> None:
    torch.empty(1 << 50, dtype=torch.uint8)


def test_memory_of_the_machine_runs_out(run, undisturbed):
    sentence = fails(run, InStep(exhaust, 5))
    assert sentence.startswith("error: the memory of this machine ran out; ")
    assert steps_kept(run) == 4
    continues(run, undisturbed)


def kill_workers() -> None:
    for worker in multiprocessing.active_children():
        os.kill(worker.pid, signal.SIGKILL)


def test_a_process_that_reads_clips_is_killed(tmp_path, undisturbed):
    prepare(tmp_path, workers=1, read_ahead=1)
    run = Run(tmp_path, "run")
    sentence = fails(run, InStep(kill_workers, 4))
    assert "error: a process that reads clips died (pid " in sentence
    assert "lower training.workers" in sentence
    assert steps_kept(run) >= 5
    continues(run, undisturbed)


def interrupt_all() -> None:
    """As SLURM does it, or Ctrl-C: every process is sent it."""
    for process in (os.getpid(), *(worker.pid for worker in multiprocessing.active_children())):
        os.kill(process, signal.SIGTERM)


def test_the_processes_that_read_may_end_at_the_same_signal(tmp_path, undisturbed):
    prepare(tmp_path, workers=2)
    run = Run(tmp_path, "run")
    assert run.finish(InStep(interrupt_all, 4)) == 143, run.log.read_text()
    assert steps_kept(run) == 5
    continues(run, undisturbed)


def damage_frames(path: Path) -> None:
    """All but the first of a shard of JPEGs."""
    content = path.read_bytes()
    first, second, *others = content.split(start := b"\xff\xd8\xff")
    assert len(others) == 9
    path.write_bytes(start.join([first, second]) + b"".join(bytes(3) + other for other in others))


def test_a_damaged_frame_is_named_and_skipped_only_if_the_study_says_so(run):
    damage_frames(run.folder / "1.h5")
    sentence = fails(run)
    assert sentence == "error: 1.h5: /seq/noise-1: a frame is damaged; make the file again"
    prepare(run.folder, skip_damaged=True)
    damage_frames(run.folder / "1.h5")
    assert run.finish() == 0, run.log.read_text()
    assert "warning: left out: 1.h5: /seq/noise-1: a frame is damaged" in run.log.read_text()


@pytest.mark.parametrize("workers", [0, 1])
def test_a_shard_that_was_cut_is_named_and_skipped_only_if_the_study_says_so(workers, tmp_path):
    prepare(tmp_path, workers=workers)
    shard = tmp_path / "1.h5"
    whole = shard.read_bytes()
    shard.write_bytes(whole[:-500])
    run = Run(tmp_path, "run")
    assert fails(run).startswith("error: 1.h5: cannot be read as HDF5")
    prepare(tmp_path, workers=workers, skip_damaged=True)
    shard.write_bytes(whole[:-500])
    assert run.finish() == 0, run.log.read_text()
    assert "warning: left out: 1.h5: cannot be read as HDF5" in run.log.read_text()


def take_shards_away() -> None:
    for thing in gc.get_objects():
        if isinstance(thing, ShardReader):
            thing.close()
    for path in Path().glob("*.h5"):
        path.rename(path.with_suffix(".away"))


def test_the_data_vanish_and_come_back(run, undisturbed):
    sentence = fails(run, InStep(take_shards_away, 4))
    assert sentence.endswith(".h5: no such file; render or convert the data first")
    assert steps_kept(run) == 5
    assert fails(run) == "error: 0.h5: no such file; render or convert the data first"
    for path in run.folder.glob("*.away"):
        path.rename(path.with_suffix(".h5"))
    continues(run, undisturbed)


def limit_files(most: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))


@pytest.mark.parametrize("step", [0, 6, STEPS - 1])
def test_the_disk_fills(step, run, undisturbed):
    sentence = fails(run, InStep(partial(limit_files, 20_000), step))
    assert sentence.startswith(f"error: {run.state}/partial.pt: cannot be written (File too large); ")
    assert [path.name for path in run.state.glob("partial*")] == []
    continues(run, undisturbed)


class NoRoomForModel:
    """The disk fills when the training has ended."""

    def __call__(self, out: Path) -> None:
        del out
        save = train.save_model

        def save_without_room(*arguments, **provenance):
            limit_files(20_000)
            save(*arguments, **provenance)

        train.save_model = save_without_room


def test_there_is_no_room_for_the_model(run, undisturbed):
    assert fails(run, NoRoomForModel()).startswith(
        f"error: {run.out}/model: cannot be written (File too large)"
    )
    assert steps_kept(run) == STEPS
    continues(run, undisturbed)


class ClockRunsBackwards:
    """By an hour whenever it is asked."""

    def __call__(self, out: Path) -> None:
        del out
        hours = count()
        time.time = lambda: 1e9 - 3600 * next(hours)


def test_a_clock_that_goes_back_changes_nothing(run, undisturbed):
    assert run.finish(ClockRunsBackwards(), signalled(4, signal.SIGTERM)) == 143
    assert run.finish(ClockRunsBackwards()) == 0, run.log.read_text()
    assert run.results() == undisturbed.results()
    assert pd.read_csv(run.out / "loss.csv")["seconds"].between(0, 60).all()


def test_two_processes_do_not_train_the_same(run, undisturbed):
    first = run.start(InStep(partial(time.sleep, 8), 3))
    while not (run.state / "lock").exists():
        time.sleep(0.01)
    assert run.finish() == 2
    told = f"error: {run.state}/lock: another process that trains the same is still running here; wait for it"
    assert told in run.log.read_text()
    first.kill()
    first.join()
    continues(run, undisturbed)
