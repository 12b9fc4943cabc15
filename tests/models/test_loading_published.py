"""Published files, whose keys and shapes say what they hold."""

import json

import pytest
import torch

from cotracker_pipeline.config import Strategy
from cotracker_pipeline.models import CoTracker2, CoTracker3Offline, CoTracker3Online
from cotracker_pipeline.models.checkpoints import load_model

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
    loaded = load_model(tmp_path / "published.pth", Strategy())
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
    assert load_model(tmp_path / "published.pth", Strategy()).model.window_len == 16
