"""When memory runs out the step is repeated one rung leaner, and nothing is lost."""

from contextlib import contextmanager

import pytest
import torch
from test_training_continues import RECIPE, SIZE, batch, run, saving, weights

from cotracker_pipeline.config import Strategy
from cotracker_pipeline.errors import UserError
from cotracker_pipeline.memory.tracker import MemoryTracker
from cotracker_pipeline.models.build import build_model, rebuild_model
from cotracker_pipeline.rungs import RUNGS
from cotracker_pipeline.training import loop
from cotracker_pipeline.training.loop import Training
from cotracker_pipeline.training.optimisation import claim_step
from cotracker_pipeline.training.state import load_state

LADDER = [Strategy.model_validate(keys) for keys in RUNGS.values()]


class Card(MemoryTracker):
    """Runs out of memory where a card with ``limit`` bytes would."""

    def __init__(self, limit: float) -> None:
        super().__init__("cpu", str)
        self.limit = limit

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = super().__torch_dispatch__(func, types, args, kwargs)
        if self.live_bytes > self.limit:
            raise torch.OutOfMemoryError(f"more than {self.limit} bytes")
        return result


def training(first: int = 0, ladder: list[Strategy] = LADDER) -> Training:
    torch.manual_seed(0)
    return Training(
        build_model(SIZE, RECIPE, ladder[first]),
        RECIPE,
        0,
        ladder[first],
        iter(ladder[first + 1 :]),
        lambda model, strategy: rebuild_model(model, SIZE, RECIPE, strategy),
    )


def peak(rung: int) -> int:
    """Of one step, the first, which makes the optimiser's state."""
    with Card(float("inf")) as card:
        run(training(rung), [batch(0)])
    return card.peak.bytes


@contextmanager
def smaller_than(rung: int):
    """A card on which ``rung`` does not run, but a leaner one does."""
    limit = peak(rung) - 1
    assert min(map(peak, range(len(LADDER)))) <= limit
    with Card(limit) as card:
        yield card


def deviation(one: Training, other: Training) -> float:
    """Relative L2 of the weights."""
    mine, theirs = (torch.cat([value.flatten() for value in weights(each).values()]) for each in (one, other))
    return float(torch.linalg.norm(mine - theirs) / torch.linalg.norm(theirs))


def test_a_training_that_runs_out_of_memory_ends_as_one_that_does_not():
    undisturbed, disturbed = training(), training()
    run(undisturbed, (batch(i) for i in range(4)))
    with smaller_than(rung=0):
        run(disturbed, (batch(i) for i in range(4)))
    assert disturbed.rungs_left_behind >= 1
    assert disturbed.strategy == LADDER[disturbed.rungs_left_behind]
    assert disturbed.step == 4
    assert [row.learning_rate for row in disturbed.curve] == [row.learning_rate for row in undisturbed.curve]
    # Adam takes rounding for signs where gradients are next to zero
    assert deviation(disturbed, undisturbed) < 1e-3
    # and not a bit differs from a training that was on this rung from the beginning
    chosen = training(disturbed.rungs_left_behind)
    run(chosen, (batch(i) for i in range(4)))
    assert deviation(disturbed, chosen) == 0


def test_memory_may_run_out_in_any_step_and_for_good():
    # the leanest keeps its averages on the host, which is the card here
    ladder = LADDER[:-1]
    undisturbed, disturbed = training(), training(ladder=ladder)
    run(undisturbed, (batch(i) for i in range(4)))
    run(disturbed, (batch(i) for i in range(2)))
    third = batch(2)
    with pytest.raises(UserError, match="at step 3, and no strategy is leaner"), Card(limit=50_000):
        run(disturbed, [third])
    assert disturbed.step == 2
    assert disturbed.strategy == ladder[-1]
    run(disturbed, (batch(i) for i in range(2, 4)))
    assert deviation(disturbed, undisturbed) < 1e-3


def test_what_the_optimiser_cannot_have_is_noticed_before_it_begins(monkeypatch):
    undisturbed, disturbed = training(), training()
    run(undisturbed, [batch(0)])
    refusals = iter([torch.OutOfMemoryError("the first time")])

    def claim(optimiser):
        if (refusal := next(refusals, None)) is not None:
            raise refusal
        claim_step(optimiser)

    monkeypatch.setattr(loop, "claim_step", claim)
    run(disturbed, [batch(0)])
    assert disturbed.rungs_left_behind == 1
    assert deviation(disturbed, undisturbed) < 1e-3


def test_a_continued_training_stays_on_its_rung(tmp_path):
    first = training()
    with smaller_than(rung=0):
        run(first, (batch(i) for i in range(2)), saving(tmp_path))
    second = training()
    second.restore(load_state(tmp_path, "a"))
    assert second.strategy == first.strategy
    assert type(second.optimiser) is type(first.optimiser)
    for one in (first, second):
        run(one, (batch(i) for i in range(2, 4)))
    assert all(torch.equal(value, weights(second)[key]) for key, value in weights(first).items())


def test_another_strategy_keeps_the_very_parameters():
    model = build_model(SIZE, RECIPE, Strategy())
    before = dict(model.named_parameters())
    after = dict(rebuild_model(model, SIZE, RECIPE, LADDER[-1]).named_parameters())
    assert all(after[key] is value for key, value in before.items())
    assert after.keys() == before.keys()
