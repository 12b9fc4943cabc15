"""Weights that were trained elsewhere, in files as they are published: made here, of the published shapes."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from small_models import TINY
from torch import Tensor, nn

from cotracker_pipeline.config import ModelSize, Recipe, Strategy
from cotracker_pipeline.errors import UserError
from cotracker_pipeline.models.build import build_model
from cotracker_pipeline.models.cotracker2 import CoTracker2
from cotracker_pipeline.models.embeddings import DISPLACEMENT_WIDTH
from cotracker_pipeline.models.pretrained import load_pretrained

LISTINGS = Path(__file__).parents[1] / "golden" / "model"
PUBLISHED = {
    "cotracker2": "cotracker2_state_dict.json",
    "cotracker3-online": "cotracker3_online_state_dict.json",
    "cotracker3-offline": "cotracker3_offline_state_dict.json",
}

PLAIN = Recipe()
WRAPPERS = {
    "plain": lambda state: state,
    "under model": lambda state: {"model": state},
    "distributed": lambda state: {f"module.{key}": value for key, value in state.items()},
    "both": lambda state: {"model": {f"module.{key}": value for key, value in state.items()}, "step": 7},
}


def model(recipe: Recipe = PLAIN, size: ModelSize = TINY, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return build_model(size, recipe, Strategy())


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_however_it_is_wrapped(wrapper, tmp_path):
    trained, fresh = model(seed=1), model()
    torch.save(WRAPPERS[wrapper](trained.state_dict()), tmp_path / "a.pth")
    assert load_pretrained(tmp_path / "a.pth", fresh, TINY, Recipe()) == []
    for key, tensor in trained.state_dict().items():
        assert torch.equal(tensor, fresh.state_dict()[key]), key


def test_a_model_of_this_package(tmp_path):
    trained, fresh = model(seed=1), model()
    save_file(trained.state_dict(), tmp_path / "model.safetensors")
    load_pretrained(tmp_path / "model.safetensors", fresh, TINY, Recipe())
    assert torch.equal(trained.fnet.conv1.weight, fresh.fnet.conv1.weight)


@pytest.mark.slow
@pytest.mark.parametrize("architecture", PUBLISHED)
def test_the_published_shapes_fit_the_default_model(architecture, tmp_path):
    entries = json.loads((LISTINGS / PUBLISHED[architecture]).read_text())["entries"]
    state = {key: torch.zeros(entry["shape"]) for key, entry in entries.items()}
    torch.save({"model": state}, tmp_path / "published.pth")
    size = ModelSize.model_validate({"architecture": architecture})
    load_pretrained(tmp_path / "published.pth", model(size=size), size, Recipe())


def test_a_smaller_radius_keeps_what_the_tokens_of_both_have(tmp_path):
    trained, narrow = model(Recipe(corr_radius=3), seed=1), model(Recipe(corr_radius=2))
    torch.save(trained.state_dict(), tmp_path / "a.pth")
    (warning,) = load_pretrained(tmp_path / "a.pth", narrow, TINY, Recipe(corr_radius=2))
    assert "correlation radius 3" in warning
    maps, features = torch.randn(1, 1, TINY.feature_dim, 8, 8), torch.randn(1, 1, 3, TINY.feature_dim)
    coords = torch.rand(1, 1, 3, 2) * 8
    # what the first layer makes of the correlations that both have, and of all that is no correlation
    for ours, theirs in zip(*(seen(each, maps, features, coords) for each in (trained, narrow)), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-5)


def seen(each: CoTracker2, maps: Tensor, features: Tensor, coords: Tensor) -> tuple[Tensor, Tensor]:
    samples = each.correlation(each.correlation.pyramid(maps, TINY.corr_levels), features, coords)
    radius = each.correlation.radius
    samples = samples.unflatten(-1, (TINY.corr_levels, 2 * radius + 1, 2 * radius + 1))
    inner = slice(radius - 2, radius + 3)
    common = torch.zeros_like(samples)
    common[..., inner, inner] = samples[..., inner, inner]
    weight = each.updateformer.input_transform.weight
    behind = DISPLACEMENT_WIDTH + samples[0, 0, 0].numel()
    others = torch.cat(
        [weight[:, :DISPLACEMENT_WIDTH], weight[:, behind : behind + TINY.feature_dim + 2]], dim=1
    )
    return common.flatten(-3) @ weight[:, DISPLACEMENT_WIDTH:behind].T, others


def test_without_a_track_mask_there_is_a_warning(tmp_path):
    torch.save(model(seed=1).state_dict(), tmp_path / "a.pth")
    recipe = Recipe(use_track_mask=False)
    (warning,) = load_pretrained(tmp_path / "a.pth", model(recipe), TINY, recipe)
    assert "without track mask" in warning


def refused(path: Path, recipe: Recipe = PLAIN) -> str:
    fresh = model(recipe)
    before = {key: tensor.clone() for key, tensor in fresh.state_dict().items()}
    with pytest.raises(UserError) as error:
        load_pretrained(path, fresh, TINY, recipe)
    assert all(torch.equal(tensor, before[key]) for key, tensor in fresh.state_dict().items())
    return str(error.value)


def test_what_does_not_fit_is_named(tmp_path):
    state = model(seed=1).state_dict()
    del state["fnet.conv1.bias"]
    state["fnet.conv1.weight"] = state["fnet.conv1.weight"][:4]
    state["stranger"] = torch.zeros(1)
    torch.save(state, tmp_path / "a.pth")
    sentence = refused(tmp_path / "a.pth")
    assert "fnet.conv1.weight is (4, 3, 7, 7) instead of (8, 3, 7, 7)" in sentence
    assert "fnet.conv1.bias is missing" in sentence
    assert "stranger is unknown" in sentence


class Attack:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_nothing_is_executed(tmp_path):
    torch.save({"model": Attack(tmp_path / "executed")}, tmp_path / "a.pth")
    assert "no checkpoint of tensors alone" in refused(tmp_path / "a.pth")
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no zip file", b"\x80\x02.", b"\x80\x02}q\x00."])
def test_a_damaged_file_is_one_sentence(content, tmp_path):
    (tmp_path / "a.pth").write_bytes(content)
    assert "a.pth: is no checkpoint" in refused(tmp_path / "a.pth")


def test_other_contents_and_missing_files_are_named(tmp_path):
    torch.save([1, 2], tmp_path / "a.pth")
    assert "holds no state dict" in refused(tmp_path / "a.pth")
    assert "missing.pth: cannot be read" in refused(tmp_path / "missing.pth")


def test_a_larger_radius_cannot_be_made(tmp_path):
    torch.save(model(Recipe(corr_radius=2), seed=1).state_dict(), tmp_path / "a.pth")
    assert "input_transform.weight" in refused(tmp_path / "a.pth", Recipe(corr_radius=3))
