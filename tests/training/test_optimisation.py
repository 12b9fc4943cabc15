"""The learning-rate schedule."""

import pytest
import torch

from cotracker_pipeline.config import Recipe
from cotracker_pipeline.training.optimisation import make_optimiser


def rates(steps: int) -> list[float]:
    optimiser, schedule = make_optimiser(torch.nn.Linear(1, 1), Recipe(steps=steps, learning_rate=1e-3))
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


def test_the_rise_takes_a_twentieth_and_is_linear():
    found = rates(1000)
    assert found.index(max(found)) == 49
    assert found[25] - found[24] == pytest.approx(found[2] - found[1])
