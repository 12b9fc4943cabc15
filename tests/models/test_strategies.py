"""Every strategy gives the outputs, losses and gradients of the plain computation."""

from typing import get_args

import pytest
import torch
from equivalence import Outcome, Scene, check_strategy, deviation, scenes, step
from hypothesis import given, settings

from cotracker_pipeline.config import Architecture, Strategy
from cotracker_pipeline.models import CoTracker2, offload
from cotracker_pipeline.rungs import RUNGS
from cotracker_pipeline.training.losses import tracking_loss

STRATEGIES = {
    "attention": {"attention": "fused"},
    "correlation": {"correlation": "local"},
    "encoder-chunk": {"encoder_chunk": 2},
    "encoder-chunk-recomputed": {"encoder_chunk": 3, "checkpoint": ("encoder",), "correlation": "local"},
    "skip": {"skip_unused": True},
    "skip-fused": {"skip_unused": True, "attention": "fused"},
    "transformer": {"checkpoint": ("transformer",)},
    "iteration": {"checkpoint": ("iteration",)},
    "block": {"checkpoint": ("block",)},
    "stage": {"checkpoint": ("stage",)},
    "hidden": {"checkpoint": ("hidden",)},
    "gelu": {"checkpoint": ("gelu",)},
    "offload": {"checkpoint": ("stage",), "offload": True},
    "nested": {"checkpoint": ("encoder", "iteration", "transformer", "block", "stage", "hidden")},
    **{name: dict(keys) for name, keys in RUNGS.items()},
}


@pytest.fixture(scope="module", autouse=True)
def offload_whatever_its_size():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(offload, "SMALLEST", 0)
        yield


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("architecture", get_args(Architecture))
@pytest.mark.parametrize("name", STRATEGIES)
def test_a_strategy_changes_nothing(name, architecture, dtype):
    scene = Scene(query_frames=((0, 3, 0, 6, 5), (4, 4, 6, 6, 5)), architecture=architecture)
    check_strategy(scene, Strategy(**STRATEGIES[name]), dtype)


@pytest.mark.parametrize("name", STRATEGIES)
@settings(max_examples=12, deadline=None, derandomize=True)
@given(scene=scenes())
def test_whatever_is_tracked(name, scene):
    check_strategy(scene, Strategy(**STRATEGIES[name]))


@pytest.mark.parametrize("architecture", get_args(Architecture))
@pytest.mark.parametrize("name", RUNGS)
def test_bf16_changes_as_much_as_it_does_alone(name, architecture):
    """Rounding differs, so the rung under bf16 is as far from fp32 as the plain computation under bf16."""
    scene = Scene(query_frames=((0, 3, 0, 6, 5),), iterations=1, architecture=architecture)
    exact = step(scene, Strategy(), torch.float32)
    plain = step(scene, Strategy(precision="bf16"), torch.float32)
    found = step(scene, Strategy(precision="bf16", **RUNGS[name]), torch.float32)
    usual = deviation(flat(plain), flat(exact))
    assert 1e-4 < usual < 0.5
    assert deviation(flat(found), flat(exact)) < 2 * usual


def flat(outcome: Outcome) -> torch.Tensor:
    return torch.cat([each.flatten() for each in outcome.gradients.values()])


GOLDEN_LOSS = ("total_loss", "seq_loss", "vis_loss_raw")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["fast", "minimal"])
def test_golden_numbers(name, rule, golden, near):
    """Outputs, losses and gradients of the official model; these two contain what the others do."""
    case = golden("v2_b_multi_window_train")
    model = rule.fill_(CoTracker2(strategy=Strategy(**RUNGS[name])), case.meta["seed"])
    coords, visibility, predictions = model(case.video, case["queries"], case.meta["iters"], is_train=True)
    seen = case["train_mask"]
    near(case.name, "coordinates (px)", coords * seen[..., None], case["coords"] * seen[..., None], 2e-4)
    near(case.name, "visibility", visibility * seen, case["vis"] * seen, 2e-5)
    loss = tracking_loss(predictions, case["gt_traj"], case["gt_vis"], case["gt_valid"], "published")
    loss.total.backward()
    losses = torch.stack([loss.total, loss.coordinate, loss.visibility])
    expected = torch.stack([case[key].reshape(()) for key in GOLDEN_LOSS])
    near(case.name, "losses", losses, expected, 1e-5, relative=True)
    parameters = dict(model.named_parameters())
    norms = torch.stack([parameters[key].grad.double().norm() for key in case.meta["grad_keys"]])
    expected = case["f64_grad_norms"]
    relevant = expected > 1e-6 * expected.max()
    near(case.name, "gradient norms", norms[relevant], expected[relevant], 1e-3, relative=True)


FORWARD = ["v2_a_batch2", "v2_b_trimmed_last_window", "v2_b_short_T5", "v2_b_late_only"]


@pytest.mark.slow
@pytest.mark.parametrize("case_name", FORWARD)
def test_golden_outputs(case_name, rule, golden, near):
    """Without gradients the rungs differ only in the chunks of the encoder: the leanest stands for all."""
    case = golden(case_name)
    strategy = Strategy(**RUNGS["minimal"])
    model = rule.fill_(CoTracker2(window_len=case.meta["window_len"], strategy=strategy), case.meta["seed"])
    with torch.no_grad():
        coords, visibility, _ = model(case.video, case["queries"], case.meta["iters"])
    frames = torch.arange(coords.shape[1])
    seen = case["queries"][:, None, :, 0] <= frames[None, :, None]
    near(case.name, "coordinates (px)", coords * seen[..., None], case["coords"] * seen[..., None], 2e-4)
    near(case.name, "visibility", visibility * seen, case["vis"] * seen, 2e-5)
