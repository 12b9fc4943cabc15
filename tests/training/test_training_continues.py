"""Training, interrupted and continued."""

from typing import get_args

import pytest
import torch
from small_models import TINY

from cotracker_pipeline.config import Architecture, Clip, Recipe, Strategy
from cotracker_pipeline.data.clips import Sample
from cotracker_pipeline.errors import UserError
from cotracker_pipeline.models.build import build_model
from cotracker_pipeline.training.loop import Training
from cotracker_pipeline.training.state import load_state, save_state

SIZE = TINY.model_copy(update={"model_resolution": (32, 32)})
RECIPE = Recipe(tracks=5, iterations=2, steps=4, learning_rate=1e-3)
CLIP = Clip(batch_size=2, frames=6, height=32, width=32)


def batch(index: int) -> Sample:
    random = torch.Generator().manual_seed(index)
    shape = (CLIP.batch_size, CLIP.frames, RECIPE.tracks)
    video = torch.randint(0, 256, (*shape[:2], 3, 32, 32), dtype=torch.uint8, generator=random)
    visibility = torch.rand(shape, generator=random) > 0.3
    visibility[:, 0] = True
    return Sample(
        video, 31 * torch.rand(*shape, 2, generator=random), visibility, torch.ones_like(visibility)
    )


def training(
    strategy: Strategy = Strategy(),  # noqa: B008
    architecture: Architecture = "cotracker2",
) -> Training:
    torch.manual_seed(0)
    size = SIZE.model_copy(update={"architecture": architecture})
    return Training(build_model(size, RECIPE, strategy), RECIPE, seed=0)


def weights(one: Training) -> dict[str, torch.Tensor]:
    return {key: value.clone() for key, value in one.model.state_dict().items()}


def ignore(_) -> None:
    pass


def run(one: Training, batches, save=ignore, log_every=1) -> None:
    one.run(batches, log_every, lambda: save(one.state()), ignore)


def saving(folder):
    """What keeps the states of a training there."""
    return lambda state: save_state(folder, {**state, "fingerprint": "a"})


@pytest.mark.parametrize("architecture", get_args(Architecture))
def test_a_continued_training_ends_with_the_same_weights(tmp_path, architecture):
    whole = training(architecture=architecture)
    run(whole, (batch(i) for i in range(4)), log_every=2)
    first = training(architecture=architecture)
    run(first, (batch(i) for i in range(3)), saving(tmp_path), log_every=2)
    second = training(architecture=architecture)
    second.restore(load_state(tmp_path, "a"))
    assert second.step == 3
    run(second, (batch(i) for i in range(3, 4)), log_every=2)
    for key, value in weights(whole).items():
        assert torch.equal(value, second.model.state_dict()[key]), key
    ours, theirs = ([row._replace(seconds=0) for row in one.curve] for one in (second, whole))
    assert ours == theirs
    assert all((row.confidence_loss > 0) == (architecture != "cotracker2") for row in whole.curve)


def test_what_comes_after_a_step_does_not_count_as_its_time(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("time.perf_counter", lambda: now[0])

    def late() -> None:
        now[0] += 100

    def batches():
        for index in range(4):
            now[0] += 2
            yield batch(index)

    one = training()
    one.run(batches(), 2, late, ignore)
    assert [row.seconds for row in one.curve] == [2, 2]


def test_a_loss_that_is_not_finite_stops_the_training():
    one = training()
    with torch.no_grad():
        one.model.fnet.conv1.weight.fill_(float("nan"))
    with pytest.raises(UserError, match="not finite at step 1"):
        run(one, iter([batch(0)]))


@pytest.mark.parametrize("parts", [("encoder",), ("transformer",), ("encoder", "transformer")])
def test_checkpointing_changes_no_bit(parts):
    plain, lean = training(), training(Strategy(checkpoint=parts))
    for one in (plain, lean):
        run(one, (batch(i) for i in range(2)))
    for key, value in weights(plain).items():
        assert torch.equal(value, lean.model.state_dict()[key]), key


def test_bf16_trains_with_coordinates_in_fp32():
    one = training(Strategy(precision="bf16"))
    sample = batch(0)
    queries = torch.zeros(2, 5, 3)
    queries[..., 1:] = 17.03
    coords, visibility, predictions = one.model(sample.video.float(), queries, 2, is_train=True)
    assert coords.dtype == visibility.dtype == predictions.coords[0][0].dtype == torch.float32
    run(one, (batch(i) for i in range(4)))
    exact = training()
    run(exact, (batch(i) for i in range(4)))
    assert one.curve[-1].loss == pytest.approx(exact.curve[-1].loss, rel=0.05)
    assert one.curve[-1].loss != exact.curve[-1].loss
