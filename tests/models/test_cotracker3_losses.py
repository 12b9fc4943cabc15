"""The losses of CoTracker3: golden numbers, and what is mended in them."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F

from cotracker_pipeline.models.predictions import ConfidentPredictions
from cotracker_pipeline.training.confident_losses import (
    DISTANCES,
    confidence_loss,
    confident_tracking_loss,
    cross_entropy,
    huber,
)
from cotracker_pipeline.training.losses import LossTerms, sequence_loss

SEED = 12


@pytest.fixture
def synthetic(golden, rule, unit):
    """Per window of ``v3_h_losses`` the iterations and what they are compared with."""
    case = golden("v3_h_losses")
    shape = tuple(case.meta[key] for key in "BSN")

    def draw(name: str) -> torch.Tensor:
        return torch.from_numpy(rule._rng(SEED, name).random(shape))

    windows = []
    for j in range(case.meta["nW"]):
        iterations = range(case.meta["nI"])
        windows.append(
            {
                "coords": [8 * unit(f"loss/p{j}{i}", (*shape, 2), SEED) for i in iterations],
                "target": 8 * unit(f"loss/g{j}", (*shape, 2), SEED),
                "visible": (draw(f"loss/vi{j}") > 0.4).float(),
                "valid": (draw(f"loss/va{j}") > 0.2).float(),
                "visibility": [logits(draw(f"loss/pv{j}{i}")) for i in iterations],
                "confidence": [logits(draw(f"loss/pc{j}{i}")) for i in iterations],
            }
        )
    return case, windows


def logits(drawn: torch.Tensor) -> torch.Tensor:
    return (0.02 + 0.96 * drawn).logit().float()


@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("only_visible", [0, 1])
def test_positions(synthetic, near, distance, only_visible):
    case, windows = synthetic
    losses = [
        sequence_loss(
            one["coords"],
            one["target"],
            one["valid"] * (one["visible"] if only_visible else 1),
            DISTANCES[distance],
        )
        for one in windows
    ]
    expected = case[f"seq_huber{int(distance == 'huber')}_visonly{only_visible}"]
    near(case.name, "positions", torch.stack(losses).mean(), expected.reshape(()), 1e-5, relative=True)


def test_visibility(synthetic, near):
    case, windows = synthetic
    losses = [cross_entropy(each, one["visible"]) for one in windows for each in one["visibility"]]
    near(case.name, "visibility", torch.stack(losses).mean(), case["bce"].reshape(()), 1e-5, relative=True)


def test_confidence(synthetic, near):
    case, windows = synthetic
    losses = [
        one["visible"] * confidence_loss(each, coords, one["target"])
        for one in windows
        for each, coords in zip(one["confidence"], one["coords"], strict=True)
    ]
    found = torch.stack(losses).mean(dim=(0, 2, 3))
    near(case.name, "confidence", found, case["prob"], 1e-5, relative=True)


def test_huber(golden, near):
    case = golden("v3_h_losses")
    near(case.name, "huber", huber(torch.linspace(-15, 15, 31)), case["huber6"], 1e-5)


FRAMES, TRACKS = 8, 4


def scene(kind: str, change: Callable[[dict[str, torch.Tensor]], None], **options: object) -> LossTerms:
    """The loss of one window of one iteration, of which ``change`` changes something."""
    points = (1, FRAMES, TRACKS)
    parts = {
        "coords": torch.full((*points, 2), 3.0),
        "visibility_logits": torch.zeros(points),
        "confidence_logits": torch.zeros(points),
        "trajectory": torch.zeros(*points, 2),
        "visible": torch.ones(points),
        "valid": torch.ones(points),
    }
    parts["visible"][:, :, 0] = 0
    parts["valid"][:, :4] = 0
    change(parts)
    predictions = ConfidentPredictions(
        [[parts["coords"]]],
        [[parts["visibility_logits"]]],
        [[parts["confidence_logits"]]],
        torch.ones(points, dtype=torch.bool),
    )
    truth = parts["trajectory"], parts["visible"], parts["valid"]
    return confident_tracking_loss(predictions, *truth, kind, **options)


def differs(name: str, kind: str, change: Callable[[dict[str, torch.Tensor]], None]) -> bool:
    changed, plain = scene(kind, change), scene(kind, lambda _: None)
    return not torch.equal(getattr(changed, name), getattr(plain, name))


@pytest.mark.parametrize("name", ["visibility", "confidence"])
def test_what_is_not_known_is_not_trained(name):
    """Mended: the published trainer takes visibility and confidence from where a track has no truth."""

    def unknown(parts: dict[str, torch.Tensor]) -> None:
        parts[f"{name}_logits"][:, :4] = 5.0

    assert not differs(name, "corrected", unknown)
    assert differs(name, "published", unknown)


def test_occluded_positions_are_compared_as_visible_ones():
    """Mended: Huber was meant for both."""

    def far(parts: dict[str, torch.Tensor]) -> None:
        parts["coords"][:, :, 0] = 10.0

    def rise(kind: str) -> float:
        return (scene(kind, far).coordinate - scene(kind, lambda _: None).coordinate).item()

    assert rise("published") == pytest.approx(0.01 * (10 - 3), rel=1e-4)
    assert rise("corrected") == pytest.approx(0.01 * (6 * (10 - 3) - 0.5 * 9), rel=1e-4)


def test_only_visible_positions():
    def far(parts: dict[str, torch.Tensor]) -> None:
        parts["coords"][:, :, 0] = 10.0

    losses = [scene("corrected", change, only_visible=True).coordinate for change in (far, lambda _: None)]
    assert torch.equal(*losses)


def test_confidence_does_not_shrink_where_points_are_hidden():
    """Mended: the published loss divides by all points, though only visible ones count."""

    def hide(parts: dict[str, torch.Tensor]) -> None:
        parts["visible"][:, :, 1] = 0

    assert not differs("confidence", "corrected", hide)
    assert scene("published", hide).confidence < scene("published", lambda _: None).confidence


def test_a_saturated_logit_still_learns():
    """Mended: of a probability that is rounded to 1 the published loss has no gradient."""
    confident_and_wrong = torch.tensor([30.0], requires_grad=True)
    cross_entropy(confident_and_wrong, torch.zeros(1)).sum().backward()
    assert confident_and_wrong.grad.item() == pytest.approx(1.0)
    published = torch.tensor([30.0], requires_grad=True)
    F.binary_cross_entropy(published.sigmoid(), torch.zeros(1)).backward()
    assert published.grad.item() == 0.0


def test_being_near_is_not_made_easier_by_moving():
    """The target of confidence gives positions no gradient."""
    coords = torch.full((1, 1, 1, 2), 8.0, requires_grad=True)
    near_and_far = torch.zeros(1, 1, 1, 2), torch.full((1, 1, 1, 2), -1.0)
    losses = [confidence_loss(torch.full((1, 1, 1), 4.0), coords, truth) for truth in near_and_far]
    assert losses[0].item() < 0.1
    assert losses[1].item() > 1
    assert not losses[0].requires_grad
