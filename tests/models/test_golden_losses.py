"""Losses and gradients against the official ones."""

import pytest
import torch
from golden_gradients import check_gradients

from cotracker_pipeline.models import CoTracker2
from cotracker_pipeline.models.predictions import WindowPredictions
from cotracker_pipeline.training.losses import (
    balanced_cross_entropy,
    masked_mean,
    sequence_loss,
    tracking_loss,
)


@pytest.fixture
def synthetic(golden, rule, unit):
    """The predictions and targets of ``v2_h_losses``."""
    case = golden("v2_h_losses")
    batch, frames, tracks = case.meta["B"], case.meta["S"], case.meta["N"]

    def draw(name: str) -> torch.Tensor:
        return torch.from_numpy(rule._rng(11, name).random((batch, frames, tracks)))

    windows = []
    for j in range(case.meta["nW"]):
        predictions = [8 * unit(f"loss/p{j}{i}", (batch, frames, tracks, 2)) for i in range(case.meta["nI"])]
        target = 8 * unit(f"loss/g{j}", (batch, frames, tracks, 2))
        visible = (draw(f"loss/vi{j}") > 0.4).float()
        valid = (draw(f"loss/va{j}") > 0.2).float()
        windows.append((predictions, target, visible, valid, draw(f"loss/pv{j}").float()))
    return case, windows, tracks


def test_sequence_loss(synthetic, near):
    case, windows, tracks = synthetic
    total = sum(sequence_loss(p, target, valid) for p, target, _, valid, _ in windows) / tracks
    near(case.name, "sequence loss", total, case["seq_loss"].reshape(()), 1e-5, relative=True)
    empty = sum(sequence_loss(p, target, torch.zeros_like(valid)) for p, target, _, valid, _ in windows)
    assert empty.item() == case["seq_loss_zero_valid"].item() == 0


def test_balanced_cross_entropy(synthetic, near):
    case, windows, tracks = synthetic
    total = sum(balanced_cross_entropy(score, visible, valid) for _, _, visible, valid, score in windows)
    near(case.name, "visibility loss", total / tracks, case["balanced_ce"].reshape(()), 1e-5, relative=True)


def test_masked_mean_of_nothing_is_zero():
    assert masked_mean(torch.ones(3), torch.zeros(3)).item() == 0


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("v2_b_multi_window_train", {}),
        ("v2_r2_multi_window_train", {"corr_radius": 2}),
        ("v2_trackmask_zeroed", {"use_track_mask": False}),
    ],
)
def test_published_loss_and_gradients(rule, golden, near, name, options):
    case = golden(name)
    model = rule.fill_(CoTracker2(**options), case.meta["seed"])
    _, _, predictions = model(case.video, case["queries"], case.meta["iters"], is_train=True)
    loss = tracking_loss(predictions, case["gt_traj"], case["gt_vis"], case["gt_valid"], "published")
    loss.total.backward()
    losses = torch.stack([loss.total, loss.coordinate, loss.visibility])
    expected = torch.stack([case[key].reshape(()) for key in ("total_loss", "seq_loss", "vis_loss_raw")])
    near(case.name, "losses", losses, expected, 1e-5, relative=True)
    check_gradients(case, dict(model.named_parameters()), near)


def test_corrected_loss_does_not_depend_on_the_number_of_tracks():
    """Mended: the published loss is divided by N although it is a mean already."""
    generator = torch.Generator().manual_seed(0)
    one = torch.randn(1, 8, 1, 2, generator=generator)

    def losses(tracks: int, kind: str) -> float:
        predictions = WindowPredictions(
            [[one.expand(-1, -1, tracks, -1)]],
            [torch.zeros(1, 8, tracks)],
            torch.ones(1, 8, tracks, dtype=torch.bool),
        )
        visible = torch.ones(1, 8, tracks)
        return tracking_loss(predictions, torch.zeros(1, 8, tracks, 2), visible, visible, kind).total.item()

    assert losses(12, "corrected") == pytest.approx(losses(3, "corrected"), rel=1e-5)
    assert losses(12, "published") == pytest.approx(losses(3, "published") / 4, rel=1e-5)


def test_corrected_visibility_loss_reaches_zero():
    """Mended: the published loss takes probabilities for logits and stays above 1.006 per window."""
    predictions = WindowPredictions(
        [[torch.zeros(1, 8, 2, 2)]],
        [torch.tensor([50.0, -50.0]).expand(1, 8, 2)],
        torch.ones(1, 8, 2, dtype=torch.bool),
    )
    visible = torch.tensor([1.0, 0.0]).expand(1, 8, 2)
    arguments = (torch.zeros(1, 8, 2, 2), visible, torch.ones(1, 8, 2))
    assert tracking_loss(predictions, *arguments, "corrected").visibility.item() < 1e-6
    assert tracking_loss(predictions, *arguments, "published").visibility.item() * 2 > 1.006


def test_gradient_keys_are_the_models(golden):
    case = golden("v2_b_multi_window_train")
    assert set(case.meta["grad_keys"]) == {key for key, _ in CoTracker2().named_parameters()}
