"""A training that is killed at any moment ends as one that is not."""

import random
import signal
import time
from pathlib import Path

import pytest
from killed_training import WARM_UP, AmidState, AtFileOperation, Run, continues, signalled, undisturbed_run
from tiny_training import STEPS, prepare

DRAWN = random.Random(7)
#: of an undisturbed training on its files, from the folder of its state to the removal of that
OPERATIONS = 62
INSTANTS = [DRAWN.random() for _ in range(8)]
OPERATION_NUMBERS = sorted(DRAWN.sample(range(OPERATIONS), 8))
AMID = [(number, DRAWN.random()) for number in (0, 1, 3, STEPS // 2 - 1)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("killed")
    prepare(path, warm_up=WARM_UP)
    return path


@pytest.fixture(scope="module")
def undisturbed(folder: Path) -> Run:
    return undisturbed_run(folder)


@pytest.fixture(scope="module")
def seconds(folder: Path, undisturbed: Run) -> float:
    """What one takes, the forking included; before it the first has started the server."""
    del undisturbed
    since = time.monotonic()
    assert Run(folder, "timed").finish() == 0
    return time.monotonic() - since


@pytest.mark.parametrize("share", INSTANTS)
def test_killed_at_an_instant(share, folder, undisturbed, seconds):
    run = Run(folder, f"instant-{share}")
    process = run.start()
    time.sleep(share * seconds)
    process.kill()
    process.join()
    continues(run, undisturbed)


@pytest.mark.parametrize("number", OPERATION_NUMBERS)
def test_killed_between_two_operations_on_its_files(number, folder, undisturbed):
    run = Run(folder, f"operation-{number}")
    assert run.finish(AtFileOperation(number)) == -signal.SIGKILL, run.log.read_text()
    continues(run, undisturbed)


@pytest.mark.parametrize(("number", "share"), AMID)
def test_killed_while_a_state_is_written(number, share, folder, undisturbed):
    run = Run(folder, f"amid-{number}")
    assert run.finish(AmidState(number, share)) == -signal.SIGKILL
    assert len(list(run.state.glob("state-*"))) == min(number, 2)
    assert (run.state / "partial.pt").exists()
    continues(run, undisturbed)


def test_killed_again_and_again(folder, undisturbed):
    run = Run(folder, "again")
    deaths = 0
    while (status := run.finish(AmidState(1, 0.5))) == -signal.SIGKILL:
        deaths += 1
        assert deaths < STEPS
    assert status == 0
    assert deaths >= 4
    assert run.results() == undisturbed.results()


@pytest.mark.parametrize("request_", [signal.SIGTERM, signal.SIGUSR1, signal.SIGINT])
@pytest.mark.parametrize("step", ["train", "warm_up"])
def test_asked_to_stop_it_finishes_the_step_and_says_so(request_, step, folder):
    whole = Run(folder, f"whole-{step}-{request_.name}", step)
    assert whole.finish() == 0, whole.log.read_text()
    run = Run(folder, f"asked-{step}-{request_.name}", step)
    assert run.finish(signalled(4, request_)) == 128 + request_
    last = run.log.read_text().splitlines()[-1]
    assert last.startswith(f"stopped: {request_.name} came; {run.state} holds the 5 steps that are done")
    continues(run, whole)


def test_after_ctrl_c_twice_the_state_is_that_of_the_last_interval(folder, undisturbed):
    run = Run(folder, "twice")
    assert run.finish(signalled(5, signal.SIGINT, signal.SIGINT)) == 130
    assert run.log.read_text().splitlines()[-1] == "interrupted"
    assert len(list(run.state.glob("state-*"))) == 2
    continues(run, undisturbed)


def test_a_damaged_last_state_costs_the_steps_since_the_one_before(folder, undisturbed):
    run = Run(folder, "damaged")
    assert run.finish(signalled(8, signal.SIGTERM)) == 143
    last = sorted(run.state.iterdir())[-1]
    last.write_bytes(last.read_bytes()[:-1])
    continues(run, undisturbed)
    assert f"warning: {last} is damaged" in run.log.read_text()
