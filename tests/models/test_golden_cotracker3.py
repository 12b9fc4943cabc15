"""CoTracker3 against outputs, tokens, losses and gradients of the official model on generated weights."""

import json

import pytest
import torch
from golden_gradients import check_gradients

from cotracker_pipeline.config import Strategy
from cotracker_pipeline.models import CoTracker3Offline, CoTracker3Online
from cotracker_pipeline.models.cotracker3 import CoTracker3
from cotracker_pipeline.rungs import RUNGS
from cotracker_pipeline.training.confident_losses import confident_tracking_loss

COORDS, PROBABILITY = 2e-4, 2e-5
MODELS = {"online": CoTracker3Online, "offline": CoTracker3Offline}


def build(rule, case, strategy: Strategy = Strategy()) -> CoTracker3:  # noqa: B008  immutable
    online = "online" in case.meta["model"]
    options = {"strategy": strategy}
    if online:
        # the published model computes the mask, but does not use it
        options["use_attention_mask"] = False
    model = MODELS["online" if online else "offline"](case.meta["window_len"], **options)
    return rule.fill_(model, case.meta["seed"])


@pytest.mark.parametrize(
    "name",
    ["v3_g_online_single", "v3_g_online_train", "v3_g_offline_train", "v3_g_offline_T_eq_window"],
)
def test_forward(rule, golden, near, name):
    case = golden(name)
    with torch.no_grad():
        *found, predictions = build(rule, case)(
            case.video, case["queries"], case.meta["iters"], is_train=True
        )
    for actual, key in zip(found, ("coords", "vis", "conf"), strict=True):
        near(case.name, key, actual, case[key], COORDS if key == "coords" else PROBABILITY)
    *windows, mask = predictions
    assert torch.equal(mask, case["train_mask"].bool())
    assert f"win{len(predictions.coords)}_coords" not in case.arrays
    for j, (coords, visibility, confidence) in enumerate(zip(*windows, strict=True)):
        near(case.name, "coords", torch.stack(coords), case[f"win{j}_coords"], COORDS)
        near(case.name, "vis", torch.stack(visibility), case[f"win{j}_vis"], PROBABILITY)
        near(case.name, "conf", torch.stack(confidence), case[f"win{j}_conf"], PROBABILITY)


@pytest.mark.parametrize("name", ["v3_g_online_train", "v3_g_offline_train"])
def test_published_loss_and_gradients(rule, golden, near, name):
    case = golden(name)
    model = build(rule, case)
    calls = []
    model.updateformer.register_forward_hook(lambda _, inputs, delta: calls.append((inputs[0], delta)))
    check_training(case, model, near)
    check_tokens(case, calls, near)


@pytest.mark.slow
@pytest.mark.parametrize("rung", ["fast", "minimal"])
@pytest.mark.parametrize("name", ["v3_g_online_train", "v3_g_offline_train"])
def test_rungs_learn_the_same(rule, golden, near, name, rung):
    """Without what the published loss reads of tracks before their query; these two contain the others."""
    strategy = Strategy(**{**RUNGS[rung], "skip_unused": False})
    check_training(golden(name), build(rule, golden(name), strategy), near)


def check_training(case, model, near) -> None:
    *_, predictions = model(case.video, case["queries"], case.meta["iters"], is_train=True)
    loss = confident_tracking_loss(
        predictions, case["gt_traj"], case["gt_vis"], case["gt_valid"], "published"
    )
    loss.total.backward()
    found = torch.stack([loss.total, loss.coordinate, loss.visibility, loss.confidence])
    positions = 0.05 * case["seq_loss_visible"] + 0.01 * case["seq_loss_invisible"]
    expected = torch.stack([case["total_loss"], positions, case["vis_loss"], case["conf_loss"]])
    near(case.name, "losses", found, expected, 1e-5, relative=True)
    check_gradients(case, dict(model.named_parameters()), near)


def check_tokens(case, calls, near) -> None:
    for place, tracks in case.meta["tok_points"]:
        tokens, delta = calls[place]
        chosen = tokens[:, tracks][:, :, case.meta["tok_frames"]]
        near(case.name, "tokens", chosen, case[f"tok{place}_x"], 1e-4)
        near(case.name, "updates", delta[:, tracks], case[f"tok{place}_delta"], 1e-4)


@pytest.mark.parametrize("kind", MODELS)
def test_state_dict_is_the_published_one(golden_folder, kind):
    entries = json.loads((golden_folder / f"cotracker3_{kind}_state_dict.json").read_text())["entries"]
    state = MODELS[kind]().state_dict()
    assert {key: list(value.shape) for key, value in state.items()} == {
        key: entry["shape"] for key, entry in entries.items()
    }
    checksum = entries["time_emb"]["checksum"]
    assert state["time_emb"].double().sum().item() == pytest.approx(checksum["sum"], rel=1e-9, abs=1e-4)
    squares = state["time_emb"].double().square().sum().item()
    assert squares == pytest.approx(checksum["sumsq"], rel=1e-9)


def test_weights_are_those_of_the_golden_model(rule, golden_folder, near):
    sums = json.loads((golden_folder / "v3_weight_checks.json").read_text())["sums"]
    parameters = dict(rule.fill_(CoTracker3Online(), 12).named_parameters())
    assert parameters.keys() == sums.keys()
    for key, (total, squares, first, last) in sums.items():
        values = parameters[key].detach().double().flatten()
        found = torch.stack([values.sum(), values.square().sum(), values[0], values[-1]])
        near("v3_weight_checks", "sums", found, torch.tensor([total, squares, first, last]).double(), 1e-3)
