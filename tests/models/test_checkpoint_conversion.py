"""Published checkpoints to our own files and back: what is found, what is kept, what is refused."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from small_models import TINY, TINY_OF

from cotracker_pipeline.config import Evaluation, ModelSize, Recipe, Strategy, Untold
from cotracker_pipeline.errors import UserError
from cotracker_pipeline.models.build import build_model
from cotracker_pipeline.models.checkpoints import load_model, read_metadata, save_model
from cotracker_pipeline.models.conversion import to_published, to_safetensors
from cotracker_pipeline.models.detection import detect
from cotracker_pipeline.models.predictors import load_trackers
from cotracker_pipeline.models.published_files import read_published, write_published

LISTINGS = Path(__file__).parents[1] / "golden" / "model"
#: What no tensor of the tiny models says.
OF_TINY = {"num_heads": TINY.num_heads, "model_resolution": TINY.model_resolution, "corr_levels": 2}


def untold(architecture: str, **more: object) -> Untold:
    """CoTracker3 is online or offline by the length of its windows, which is that of neither here."""
    return Untold(architecture=None if architecture == "cotracker2" else architecture, **OF_TINY, **more)


def published(path: Path, size: ModelSize = TINY, recipe: Recipe = Recipe(), seed: int = 1) -> Path:  # noqa: B008
    torch.manual_seed(seed)
    torch.save({"model": build_model(size, recipe, Strategy()).state_dict(), "total_steps": 7}, path)
    return path


@pytest.mark.parametrize("architecture", TINY_OF)
def test_there_and_back_nothing_changes(architecture, tmp_path):
    source = published(tmp_path / "a.pth", TINY_OF[architecture])
    to_safetensors(source, tmp_path / "a.safetensors", untold(architecture))
    to_published(tmp_path / "a.safetensors", tmp_path / "b.pth")
    before, after = read_published(source), torch.load(tmp_path / "b.pth", weights_only=True)
    assert before.keys() == after.keys()
    for key, tensor in before.items():
        assert tensor.dtype == after[key].dtype
        assert torch.equal(tensor, after[key]), key


@pytest.mark.parametrize("architecture", TINY_OF)
@pytest.mark.parametrize("recipe", [Recipe(), Recipe(corr_radius=2)], ids=["radius 3", "radius 2"])
def test_sizes_are_found(architecture, recipe, tmp_path):
    size = TINY_OF[architecture]
    source = published(tmp_path / "a.pth", size, recipe)
    to_safetensors(source, tmp_path / "a.safetensors", untold(architecture))
    loaded = load_model(tmp_path / "a.safetensors", Strategy())
    assert loaded.size == size
    assert loaded.recipe.corr_radius == recipe.corr_radius
    assert loaded.recipe.use_attention_mask == (architecture != "cotracker3-online")
    metadata = read_metadata(tmp_path / "a.safetensors")
    assert metadata["source"] == "a.pth"
    assert metadata["source_sha256"] == hashlib.sha256(source.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("listing", "size"),
    [
        ("cotracker2", ModelSize()),
        ("cotracker3_online", ModelSize(architecture="cotracker3-online")),
        ("cotracker3_offline", ModelSize(architecture="cotracker3-offline")),
    ],
)
def test_the_published_models_are_known_by_their_shapes_alone(listing, size):
    entries = json.loads((LISTINGS / f"{listing}_state_dict.json").read_text())["entries"]
    state = {key: torch.empty(entry["shape"], device="meta") for key, entry in entries.items()}
    found = detect(state, Untold(), "published.pth")
    assert found.size == size
    assert found.recipe == Recipe(use_attention_mask=listing != "cotracker3_online")


def test_the_longer_windows_of_a_later_cotracker2_are_found():
    entries = json.loads((LISTINGS / "cotracker2_state_dict.json").read_text())["entries"]
    state = {key: torch.empty(entry["shape"], device="meta") for key, entry in entries.items()}
    state["time_emb"] = torch.empty(1, 16, 456, device="meta")
    assert detect(state, Untold(), "cotracker2v1.pth").size == ModelSize(window_len=16)


def test_what_no_tensor_says_is_asked_for(tmp_path):
    source = published(tmp_path / "a.pth", TINY_OF["cotracker3-online"])
    with pytest.raises(
        UserError, match=r"a\.pth: is of a CoTracker3 whose time_emb, of 4 frames.*--architecture"
    ):
        to_safetensors(source, tmp_path / "b.safetensors", Untold())
    assert not (tmp_path / "b.safetensors").exists()


def test_what_differs_is_named_and_nothing_written(tmp_path):
    state = read_published(published(tmp_path / "a.pth"))
    del state["fnet.layer1.0.conv1.weight"]
    state["stranger"] = torch.zeros(2)
    write_published(tmp_path / "a.pth", state)
    with pytest.raises(UserError) as error:
        to_safetensors(tmp_path / "a.pth", tmp_path / "b.safetensors", untold("cotracker2"))
    assert "fnet.layer1.0.conv1.weight is missing" in str(error.value)
    write_published(tmp_path / "a.pth", {"some.weight": torch.zeros(3)})
    with pytest.raises(UserError, match=r"neither vis_predictor\.0\.weight.*nor corr_mlp\.fc1\.weight"):
        to_safetensors(tmp_path / "a.pth", tmp_path / "b.safetensors", Untold())
    assert not (tmp_path / "b.safetensors").exists()


def test_what_is_no_longer_equivalent_is_said_and_kept(tmp_path):
    source, target = published(tmp_path / "a.pth"), tmp_path / "a.safetensors"
    radius, mask = to_safetensors(source, target, untold("cotracker2"), corr_radius=2, use_track_mask=False)
    assert "correlation radius 3" in radius
    assert "without track mask" in mask
    assert json.loads(read_metadata(target)["differs"]) == [radius, mask]
    assert load_model(target, Strategy()).recipe == Recipe(corr_radius=2, use_track_mask=False)
    sentences = to_published(target, tmp_path / "b.pth")
    for why in ("other sizes", "correlation radius 2", "without track mask"):
        assert any(why in sentence for sentence in sentences), why
    assert "differs" not in read_metadata(_plain(tmp_path))
    with pytest.raises(UserError, match=r"a\.pth: corr_radius: Input should be greater than or equal to 1"):
        to_safetensors(source, target, untold("cotracker2"), corr_radius=0)
    with pytest.raises(UserError, match="CoTracker3, which has no track mask"):
        to_safetensors(
            published(tmp_path / "c.pth", TINY_OF["cotracker3-offline"]),
            target,
            untold("cotracker3-offline"),
            use_track_mask=False,
        )


def _plain(folder: Path) -> Path:
    to_safetensors(folder / "a.pth", folder / "plain.safetensors", untold("cotracker2"))
    return folder / "plain.safetensors"


@pytest.mark.parametrize(
    ("size", "recipe", "why"),
    [
        (ModelSize(first_estimate="matching"), Recipe(), "start from matches"),
        (ModelSize(), Recipe(use_attention_mask=False), "without attention mask"),
        (ModelSize(architecture="cotracker3-online"), Recipe(), "with attention mask"),
        (ModelSize(architecture="cotracker3-offline"), Recipe(), None),
        (ModelSize(architecture="cotracker3-online"), Recipe(use_attention_mask=False), None),
        (ModelSize(), Recipe(), None),
    ],
)
@pytest.mark.slow
def test_what_published_code_would_not_compute_is_said(size, recipe, why, tmp_path):
    save_model(tmp_path / "a.safetensors", build_model(size, recipe, Strategy()), size, recipe)
    sentences = to_published(tmp_path / "a.safetensors", tmp_path / "a.pth")
    assert [why in sentence for sentence in sentences] == ([True] if why else [])


@pytest.mark.slow
@pytest.mark.parametrize("architecture", TINY_OF)
def test_a_published_file_is_tracked_with_as_it_is(architecture, tmp_path, rule):
    """At the true size; that of CoTracker3 online attends to tracks before they are queried, as published."""
    size = ModelSize.model_validate({"architecture": architecture})
    recipe = Recipe(use_attention_mask=architecture != "cotracker3-online")
    model = rule.fill_(build_model(size, recipe, Strategy()), seed=3)
    torch.save(model.state_dict(), tmp_path / "a.pth")
    loaded = load_model(tmp_path / "a.pth", Strategy())
    assert loaded.size == size
    assert all(
        torch.equal(tensor, model.state_dict()[key]) for key, tensor in loaded.model.state_dict().items()
    )
    assert getattr(loaded.model, "use_attention_mask", True) == recipe.use_attention_mask
    assert set(load_trackers(tmp_path / "a.pth", Evaluation(query_modes=("first",)))) == {"first"}


def test_what_does_not_say_all_of_itself_is_to_be_converted(tmp_path):
    with pytest.raises(UserError, match=r"a\.pth: is of other sizes.*convert_checkpoint"):
        load_model(published(tmp_path / "a.pth"), Strategy())
    with pytest.raises(UserError, match=r"b\.pth: cannot be read"):
        load_model(tmp_path / "b.pth", Strategy())


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "cotracker_pipeline.convert_checkpoint", *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True)


def test_the_command_converts_and_speaks(tmp_path):
    source, target = published(tmp_path / "a.pth", TINY_OF["cotracker3-offline"]), tmp_path / "a.safetensors"
    options = ["--architecture", "cotracker3-offline", "--num-heads", 2, "--model-resolution", 32, 48]
    done = command(source, "--output", target, *options)
    assert (done.returncode, done.stderr) == (0, "")
    assert load_model(target, Strategy()).size == TINY_OF["cotracker3-offline"]
    back = command(target, "--output", tmp_path / "b.pth")
    assert back.returncode == 0
    assert "other sizes" in back.stderr
    refused = command(target, "--output", tmp_path / "b.pth", "--num-heads", 4)
    assert refused.returncode == 2
    assert "says all of itself" in refused.stderr
    refused = command(source, "--output", tmp_path / "b.pth")
    assert refused.returncode == 2
    assert "or the other way round" in refused.stderr
