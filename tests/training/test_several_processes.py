"""A training in several processes: as one alone, whatever happens to one of them."""

import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest
import torch
import yaml
from killed_training import InStep, Run, signalled
from teams import SECONDS, OfRank, TeamRun, free_port
from test_faults_of_training import damage_frames, limit_files, steps_kept
from tiny_training import CLIP, prepare

from cotracker_pipeline import train
from cotracker_pipeline.training.distributed import Team
from cotracker_pipeline.training.loop import Training

STEPS = 6
BATCH = {**CLIP, "batch_size": 2}
#: Divided among four.
LARGE = {**CLIP, "batch_size": 4}
#: Steps of a training that is stopped before they are done.
MANY = 40


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("alone")
    prepare(folder, steps=STEPS, clip=LARGE, log_every=1)
    run = Run(folder, "alone")
    assert run.finish() == 0, run.log.read_text()
    return run


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> TeamRun:
    return trained(tmp_path_factory.mktemp("undisturbed"), 2)


def prepared(folder: Path, size: int, **training: object) -> TeamRun:
    prepare(folder, **{"steps": STEPS, "clip": BATCH, "log_every": 1, "devices": size, **training})
    return TeamRun(folder, "run", size)


def trained(folder: Path, size: int, **training: object) -> TeamRun:
    run = prepared(folder, size, **training)
    assert run.finish_all() == [0] * size, run.log.read_text()
    return run


def curve(run: Run) -> pd.DataFrame:
    return pd.read_csv(run.out / "loss.csv").drop(columns="seconds")


def agrees(run: Run, alone: Run) -> None:
    """To rounding."""
    np.testing.assert_allclose(curve(run), curve(alone), rtol=1e-4)


def continues(run: TeamRun, undisturbed: TeamRun, *traps) -> None:
    assert run.finish_all(*traps) == [0] * run.size, run.log.read_text()
    assert run.results() == undisturbed.results()


def last_line(run: Run) -> str:
    return run.log.read_text().splitlines()[-1]


@pytest.mark.parametrize(("size", "accumulate"), [(2, 1), (4, 1), (2, 2)])
def test_the_loss_curve_is_that_of_one_process(size, accumulate, tmp_path, alone):
    run = trained(tmp_path, size, clip=LARGE, accumulate=accumulate)
    assert len(curve(run)) == STEPS
    agrees(run, alone)
    assert not run.state.exists()


def test_accumulation_in_one_process_changes_only_rounding(tmp_path, alone):
    prepare(tmp_path, steps=STEPS, clip=LARGE, log_every=1, accumulate=4)
    run = Run(tmp_path, "run")
    assert run.finish() == 0, run.log.read_text()
    agrees(run, alone)
    # and it did compute something else than the whole batch
    assert run.results() != alone.results()


class WeightsTold:
    """Each process writes the weights that it ends with."""

    def __call__(self, out: Path) -> None:
        run = Training.run

        def told(training, *arguments, **options):
            run(training, *arguments, **options)
            torch.save(training.model.state_dict(), out / f"weights-{training.team.rank}")

        Training.run = told


class OtherWeights:
    """A process begins with other weights, as on another kind of processor."""

    def __call__(self, out: Path) -> None:
        del out
        initial = train.initial_model

        def other(*arguments):
            model = initial(*arguments)
            with torch.no_grad():
                model.fnet.conv1.weight.mul_(1.1)
            return model

        train.initial_model = other


def test_all_processes_have_the_same_weights_from_beginning_to_end(tmp_path, undisturbed):
    run = prepared(tmp_path, 2)
    continues(run, undisturbed, WeightsTold(), OfRank(1, OtherWeights()))
    first, second = (torch.load(run.out / f"weights-{rank}") for rank in range(2))
    assert all(torch.equal(value, second[key]) for key, value in first.items())


@pytest.mark.parametrize("request_", [signal.SIGTERM, signal.SIGUSR1])
@pytest.mark.parametrize("rank", [0, 1])
def test_asked_to_stop_all_stop_after_the_same_step_and_continue(rank, request_, tmp_path, undisturbed):
    run = prepared(tmp_path, 2)
    assert run.finish_all(OfRank(rank, signalled(4, request_))) == [128 + request_, 0]
    assert last_line(run).startswith(f"stopped: {request_.name} came; {run.state} holds the 5 steps")
    assert steps_kept(run) == 5
    continues(run, undisturbed)


class BadLoss:
    """Not finite in one step, counted from 0."""

    def __init__(self, step: int) -> None:
        self.step = step

    def __call__(self, out: Path) -> None:
        del out
        loss = Training._loss

        def bad(training, part):
            terms = loss(training, part)
            return terms._replace(total=terms.total * math.inf) if training.step == self.step else terms

        Training._loss = bad


@pytest.mark.parametrize("rank", [0, 1])
def test_a_step_that_is_not_finite_in_one_process_is_skipped_by_all(rank, tmp_path):
    run = prepared(tmp_path, 2, on_nan="skip")
    continuing = OfRank(rank, BadLoss(3))
    assert run.finish_all(continuing, WeightsTold()) == [0, 0], run.log.read_text()
    assert curve(run)["step"].tolist() == [step for step in range(1, STEPS + 1) if step != 4]
    assert run.log.read_text().count("warning: step 4, of ") == 1
    first, second = (torch.load(run.out / f"weights-{each}") for each in range(2))
    assert all(torch.equal(value, second[key]) for key, value in first.items())


def test_without_leave_to_skip_it_ends_all_in_one_sentence(tmp_path, undisturbed):
    run = prepared(tmp_path, 2)
    assert run.finish_all(OfRank(1, BadLoss(3))) == [2, 0]
    log = run.log.read_text()
    assert log.count("error: ") == 1
    assert "Traceback" not in log
    assert "not finite at step 4, of " in last_line(run)
    # the clips of both processes are among those that may be at fault
    assert last_line(run).count(" and ") == BATCH["batch_size"] - 1
    assert steps_kept(run) == 3
    continues(run, undisturbed)


class DamagedFor:
    """What a process reads from the second shard is damaged."""

    def __call__(self, out: Path) -> None:
        del out
        whole = Path("1.h5")
        Path("damaged").mkdir()
        damaged = Path("damaged/1.h5")
        damaged.write_bytes(whole.read_bytes())
        damage_frames(damaged)
        sys.argv[sys.argv.index("1.h5")] = str(damaged)


def test_data_damaged_for_one_process_are_left_out_while_all_go_on_in_step(tmp_path):
    run = prepared(tmp_path, 2, skip_damaged=True)
    assert run.finish_all(OfRank(1, DamagedFor()), WeightsTold()) == [0, 0], run.log.read_text()
    assert "warning: left out: damaged/1.h5: /seq/noise-1: a frame is damaged" in run.log.read_text()
    assert len(curve(run)) == STEPS
    first, second = (torch.load(run.out / f"weights-{each}") for each in range(2))
    assert all(torch.equal(value, second[key]) for key, value in first.items())


def test_data_damaged_for_one_process_end_all_in_one_sentence(tmp_path, undisturbed):
    run = prepared(tmp_path, 2)
    assert run.finish_all(OfRank(1, DamagedFor())) == [2, 0]
    assert run.log.read_text().count("error: ") == 1
    assert last_line(run) == "error: damaged/1.h5: /seq/noise-1: a frame is damaged; make the file again"
    continues(run, undisturbed)


class NoMemory:
    """A process runs out of memory, in the backward pass of a step, as often as it is told."""

    def __init__(self, step: int, times: int) -> None:
        self.step = step
        self.times = times

    def __call__(self, out: Path) -> None:
        del out
        loss = Training._loss

        def exhausting(training, part):
            terms = loss(training, part)
            if training.step == self.step and self.times:
                self.times -= 1
                terms.total.register_hook(exhaust)
            return terms

        Training._loss = exhausting


def exhaust(_: torch.Tensor) -> None:
    raise torch.OutOfMemoryError("that of one card")


def test_all_take_the_rung_that_one_of_them_needs(tmp_path):
    run = prepared(tmp_path, 2)
    study = yaml.safe_load((tmp_path / "study.yaml").read_text())
    study["strategy"] = "auto"
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(study))
    chosen = TeamRun(tmp_path, "chosen")
    assert chosen.finish_all() == [0, 0], chosen.log.read_text()
    assert run.finish_all(OfRank(1, NoMemory(3, times=2)), RungsTold()) == [0, 0], run.log.read_text()
    assert run.log.read_text().count("memory ran out; the step is repeated by ") == 2
    assert [(run.out / f"rungs-{rank}").read_text() for rank in range(2)] == ["2", "2"]
    agrees(run, chosen)


class RungsTold:
    """Each process writes how many it has left behind."""

    def __call__(self, out: Path) -> None:
        run = Training.run

        def told(training, *arguments, **options):
            run(training, *arguments, **options)
            (out / f"rungs-{training.team.rank}").write_text(str(training.rungs_left_behind))

        Training.run = told


def test_where_no_rung_is_leaner_all_end_in_one_sentence(tmp_path, undisturbed):
    run = prepared(tmp_path, 2)
    assert run.finish_all(OfRank(1, NoMemory(3, times=1))) == [2, 0]
    assert run.log.read_text().count("error: ") == 1
    assert "memory ran out at step 4, and no strategy is leaner" in last_line(run)
    assert steps_kept(run) == 3
    continues(run, undisturbed)


def killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_when_one_is_killed_the_first_keeps_the_steps_that_are_done(tmp_path, undisturbed):
    run = prepared(tmp_path, 2)
    assert run.finish_all(OfRank(1, InStep(killed, 4))) == [2, -signal.SIGKILL]
    assert "another process of this training has ended" in last_line(run)
    assert steps_kept(run) == 4
    continues(run, undisturbed)


def test_the_disk_is_full_for_the_first(tmp_path, undisturbed):
    run = prepared(tmp_path, 2)
    assert run.finish_all(OfRank(0, InStep(partial(limit_files, 20_000), 4))) == [2, 0]
    assert "cannot be written (File too large)" in last_line(run)
    continues(run, undisturbed)


def test_a_team_of_one_exchanges_nothing():
    team = Team()
    values = torch.arange(3.0)
    assert team.total(values) is values
    assert team.greatest(-4) == -4
    assert team.from_first(lambda: "made") == team.together(lambda: "made") == "made"
    assert list(team.each(iter("ab"))) == ["a", "b"]


def command() -> list[str]:
    files = ["--data", "0.h5", "1.h5", "--state-dir", "run/state", "--output", "run/model"]
    which = ["--config", "study.yaml", "--variant", "baseline", "--seed", "0"]
    module = [sys.executable, "-m", "cotracker_pipeline.train"]
    return [*module, *which, *files, "--loss-curve", "run/loss.csv"]


def children_of(process: subprocess.Popen) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def wait_for(condition: Callable[[], object]) -> None:
    until = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


@pytest.fixture
def launched(tmp_path):
    """A step that has started torchrun; what is left of it is killed."""
    run = prepared(tmp_path, 2, save_every=1, steps=MANY)
    # as the workflow starts it
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    with run.log.open("w") as log:
        process = subprocess.Popen(command(), cwd=tmp_path, stdout=log, stderr=log)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    workers: list[psutil.Process] = []
    try:
        wait_for(lambda: len(children_of(process)) == 2)
        workers += children_of(process)
        yield run, process, workers
    finally:
        process.kill()
        process.wait()
        for worker in workers:
            if worker.is_running():
                worker.kill()


def test_the_step_starts_its_processes_and_passes_on_what_signals_ask(launched):
    run, process, workers = launched
    wait_for(lambda: list(run.state.glob("state-*")))
    process.send_signal(signal.SIGUSR1)
    assert process.wait(SECONDS) == 128 + signal.SIGUSR1, run.log.read_text()
    assert not any(worker.is_running() for worker in workers)
    assert last_line(run).startswith("stopped: SIGUSR1 came; ")
    assert "Traceback" not in run.log.read_text()


@pytest.mark.slow
def test_the_step_goes_on_in_new_processes_and_ends_well(launched):
    run, process, _ = launched
    wait_for(lambda: list(run.state.glob("state-*")))
    process.send_signal(signal.SIGTERM)
    assert process.wait(SECONDS) == 128 + signal.SIGTERM, run.log.read_text()
    done = subprocess.run(command(), cwd=run.folder, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stderr
    assert len(curve(run)) == MANY


def test_when_torchrun_is_killed_its_processes_stop_by_themselves(launched):
    run, process, workers = launched
    wait_for(lambda: list(run.state.glob("state-*")))
    process.kill()
    process.wait()
    wait_for(lambda: not any(alive(worker) for worker in workers))
    assert "stopped: SIGTERM came; " in run.log.read_text()


@pytest.mark.slow
def test_two_nodes_of_slurm_meet(tmp_path):
    """What srun tells the task on each node; here both are this machine."""
    run = prepared(tmp_path, 1, nodes=2)
    told = {"SLURM_JOB_ID": str(free_port()), "SLURM_LAUNCH_NODE_IPADDR": "127.0.0.1"}
    with run.log.open("w") as log:
        tasks = [
            subprocess.Popen(
                command(),
                cwd=tmp_path,
                stdout=log,
                stderr=log,
                env={**os.environ, **told, "SLURM_STEP_NUM_NODES": "2", "SLURM_NODEID": str(node)},
            )
            for node in range(2)
        ]
    try:
        assert [task.wait(SECONDS) for task in tasks] == [0, 0], run.log.read_text()
    finally:
        for task in tasks:
            # what it has started stops by itself
            task.kill()
            task.wait()
    assert len(curve(run)) == STEPS


def test_several_nodes_need_something_that_joins_them(tmp_path):
    run = prepared(tmp_path, 1, nodes=2)
    done = subprocess.run(command(), cwd=tmp_path, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 2
    assert done.stderr.startswith("error: training.nodes is 2, but this is no step of SLURM with as many; ")
    assert not run.state.exists()


def alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
