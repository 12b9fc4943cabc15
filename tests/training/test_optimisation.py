"""The learning-rate schedule, and ways to update that are AdamW's."""

import pytest
import torch

from cotracker_pipeline.config import Recipe, Strategy
from cotracker_pipeline.memory.step import Batch, TrainingStep, track_training_step
from cotracker_pipeline.training.optimisation import OPTIMISERS, make_optimiser


def rates(steps: int, **recipe: object) -> list[float]:
    optimiser, schedule = make_optimiser(
        torch.nn.Linear(1, 1), Recipe(steps=steps, learning_rate=1e-3, **recipe)
    )
    found = []
    for _ in range(steps):
        found.append(schedule.get_last_lr()[0])
        optimiser.step()
        # after the last step too, as the training loop does
        schedule.step()
    return found


@pytest.mark.parametrize("steps", [1, 2, 3, 19, 20, 21, 40, 1000])
def test_trainings_of_any_length_rise_and_end_low(steps):
    found = rates(steps)
    assert max(found) <= 1e-3 * (1 + 1e-9)
    assert found[0] == pytest.approx(4e-5)
    if steps > 2:
        assert max(found) == pytest.approx(1e-3)
        assert found[-1] < 1e-5


def test_a_cosine_rises_and_falls_slowly_at_its_ends():
    linear, cosine = rates(1000), rates(1000, schedule="cosine")
    assert cosine.index(max(cosine)) == linear.index(max(linear))
    assert cosine[100] > linear[100]
    assert cosine[950] < linear[950]
    assert cosine[524] == pytest.approx(max(cosine) / 2, rel=0.01)


def test_the_rise_takes_a_twentieth_and_is_linear():
    found = rates(1000)
    assert found.index(max(found)) == 49
    assert found[25] - found[24] == pytest.approx(found[2] - found[1])


STEPS = 6


def trained(kind: str, restart: str | None = None) -> tuple[list[torch.Tensor], torch.optim.Optimizer]:
    """Parameters after some clipped steps; in the midst the state may move to another kind, ``restart``."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(5, 40), torch.nn.GELU(), torch.nn.Linear(40, 3)).double()
    unused = torch.nn.Linear(2, 2)
    model.append(torch.nn.Identity()).register_module("unused", unused)
    recipe = Recipe(steps=STEPS, learning_rate=1e-2, weight_decay=0.1)
    optimiser, schedule = make_optimiser(model, recipe, Strategy(optimiser=kind))
    for number in range(STEPS):
        if restart and number == STEPS // 2:
            states = optimiser.state_dict(), schedule.state_dict()
            optimiser, schedule = make_optimiser(model, recipe, Strategy(optimiser=restart))
            optimiser.load_state_dict(states[0]), schedule.load_state_dict(states[1])
        x = torch.randn(7, 5, generator=torch.Generator().manual_seed(number), dtype=torch.float64)
        for layer in (0, 1, 2):
            x = model[layer](x)
        x.square().sum().backward()
        assert torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0) > 1
        optimiser.step()
        schedule.step()
        optimiser.zero_grad(set_to_none=True)
    return [parameter.detach() for parameter in model.parameters()], optimiser


@pytest.mark.parametrize("kind", [kind for kind in OPTIMISERS if kind != "foreach"])
def test_updates_are_those_of_adamw(kind):
    (expected, _), (found, optimiser) = trained("foreach"), trained(kind)
    assert isinstance(optimiser, OPTIMISERS[kind])
    for ours, theirs in zip(found, expected, strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize(
    ("kind", "restart"), [("foreach", "host"), ("host", "one-by-one"), ("host", "foreach")]
)
def test_a_training_goes_on_with_another(kind, restart):
    for ours, theirs in zip(trained(kind, restart)[0], trained("foreach")[0], strict=True):
        assert torch.equal(ours, theirs)


def test_a_gradient_is_freed_when_it_has_been_used():
    model = torch.nn.Linear(3, 3)
    optimiser, _ = make_optimiser(model, Recipe(), Strategy(optimiser="one-by-one"))
    model(torch.ones(3)).sum().backward()
    optimiser.step()
    assert all(parameter.grad is None for parameter in model.parameters())


def predicted(kind: str) -> dict[str, int]:
    """Bytes at the peak of a step of next to nothing but parameters, by component."""
    with torch.device("meta"):
        model = torch.nn.Sequential(*(torch.nn.Linear(256, 256, bias=False) for _ in range(8)))
        batch = Batch(torch.zeros(1, 256), *torch.zeros(4, 1))
    optimiser, _ = make_optimiser(model, Recipe(), Strategy(optimiser=kind))
    step = TrainingStep(model, batch, lambda model, batch: model(batch.video).sum(), optimiser, 1.0)
    return track_training_step(step).peak.breakdown


def test_the_peak_has_no_copies_of_all_parameters():
    one, every = 256 * 256 * 4, 8 * 256 * 256 * 4
    peaks = {kind: predicted(kind) for kind in OPTIMISERS}
    assert peaks["foreach"]["optimiser"] >= 3 * every
    assert 2 * every < peaks["one-by-one"]["optimiser"] <= 2 * every + 3 * one
    assert peaks["host"]["optimiser"] <= 5 * one
