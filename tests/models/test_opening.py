"""Checkpoints as users have them."""

import json

import pytest
import torch
from small_models import TINY_OF

from cotracker_pipeline.config import Recipe, Strategy
from cotracker_pipeline.errors import UserError
from cotracker_pipeline.models import CoTracker2, CoTracker3Offline, CoTracker3Online
from cotracker_pipeline.models.build import build_model
from cotracker_pipeline.models.checkpoints import save_model
from cotracker_pipeline.models.opening import open_model

PUBLISHED = {
    "cotracker2": CoTracker2,
    "cotracker3_online": CoTracker3Online,
    "cotracker3_offline": CoTracker3Offline,
}


def published_state(golden_folder, name):
    """Tensors of the published shapes, each of one number that its key gives."""
    entries = json.loads((golden_folder / f"{name}_state_dict.json").read_text())["entries"]
    return {key: torch.full(entry["shape"], len(key) / 100) for key, entry in entries.items()}


@pytest.mark.slow
@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_file_tells_which_tracker_it_is(name, golden_folder, tmp_path):
    state = published_state(golden_folder, name)
    torch.save({"model": state}, tmp_path / "published.pth")
    loaded = open_model(tmp_path / "published.pth", Strategy())
    assert type(loaded.model) is PUBLISHED[name]
    assert loaded.size.architecture == name.replace("_", "-")
    assert loaded.size.window_len == state["time_emb"].shape[1]
    for key, tensor in loaded.model.state_dict().items():
        assert torch.equal(tensor, state[key]), key
    if name == "cotracker3_online":
        assert not loaded.model.use_attention_mask


@pytest.mark.slow
def test_the_window_of_a_published_cotracker2_is_its_own(golden_folder, tmp_path):
    state = published_state(golden_folder, "cotracker2")
    state["time_emb"] = torch.zeros(1, 16, state["time_emb"].shape[2])
    torch.save(state, tmp_path / "published.pth")
    assert open_model(tmp_path / "published.pth", Strategy()).model.window_len == 16


@pytest.mark.parametrize("architecture", TINY_OF)
def test_a_model_of_the_train_step(architecture, tmp_path):
    torch.manual_seed(0)
    size, recipe = TINY_OF[architecture], Recipe(use_attention_mask=False)
    trained = build_model(size, recipe, Strategy())
    save_model(tmp_path / "model.safetensors", trained, size, recipe)
    loaded = open_model(tmp_path / "model.safetensors", Strategy())
    assert (loaded.size, loaded.recipe) == (size, recipe)
    for key, tensor in trained.state_dict().items():
        assert torch.equal(tensor, loaded.model.state_dict()[key]), key


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        ({"weight": torch.zeros(1)}, "holds no CoTracker"),
        ({"time_emb": torch.zeros(3)}, "holds no CoTracker"),
        (
            {"time_emb": torch.zeros(1, 24, 8), "corr_mlp.fc1.weight": torch.zeros(1)},
            "windows of 24 frames are neither those of CoTracker3 online nor of offline",
        ),
        ({"time_emb": torch.zeros(1, 7, 8)}, "window_len 7 must be even"),
        ({"time_emb": torch.zeros(1, 0, 8)}, "window_len"),
    ],
)
def test_what_is_no_published_file_is_named(state, sentence, tmp_path):
    torch.save(state, tmp_path / "a.pth")
    with pytest.raises(UserError, match=f"a.pth.*{sentence}"):
        open_model(tmp_path / "a.pth", Strategy())


def test_missing_and_damaged_files_are_named(tmp_path):
    for name in ("missing.pth", "missing.safetensors"):
        with pytest.raises(UserError, match=name):
            open_model(tmp_path / name, Strategy())
    (tmp_path / "a.pth").write_bytes(b"PK\x03\x04 no zip file")
    with pytest.raises(UserError, match="is no checkpoint"):
        open_model(tmp_path / "a.pth", Strategy())
