"""Training that starts from given weights."""

import shutil
import signal
from pathlib import Path

import pytest
import torch
import yaml
from killed_training import Run, signalled
from safetensors.torch import load_file, save_file
from tiny_training import prepare

from cotracker_pipeline.config import Study, load_study
from cotracker_pipeline.errors import UserError
from cotracker_pipeline.models.checkpoints import read_metadata
from cotracker_pipeline.train import initial_model

TINY = Path(__file__).parents[2] / "config" / "test" / "tiny.yaml"


def study(folder: Path, **training: object) -> Study:
    keys = yaml.safe_load(TINY.read_text())
    keys["training"] = {**keys["training"], "warm_up": None, **training}
    (folder / "study.yaml").write_text(yaml.safe_dump(keys))
    return load_study(folder / "study.yaml")


def test_a_training_starts_from_its_initial_checkpoint(tmp_path):
    before = initial_model(study(tmp_path), study(tmp_path).variant("baseline"), 1, None)
    torch.save({"model": before.state_dict()}, tmp_path / "trained.pth")
    tuned = study(tmp_path, initial_checkpoint=str(tmp_path / "trained.pth"))
    after = initial_model(tuned, tuned.variant("baseline"), 2, None)
    for key, tensor in before.state_dict().items():
        assert torch.equal(tensor, after.state_dict()[key]), key


def test_it_cannot_have_two_starts(tmp_path):
    with pytest.raises(UserError, match=r"study\.yaml: training: initial_checkpoint brings an encoder"):
        study(tmp_path, initial_checkpoint="a.pth", warm_up={"steps": 1})


def test_a_state_is_not_continued_when_the_initial_checkpoint_has_changed(tmp_path):
    prepare(tmp_path)
    assert Run(tmp_path, "first").finish() == 0
    weights = tmp_path / "weights.safetensors"
    shutil.copy(tmp_path / "first/model", weights)
    prepare(tmp_path, initial_checkpoint=str(weights))
    run = Run(tmp_path, "run")
    assert run.finish(signalled(5, signal.SIGTERM)) == 143
    change_one_weight(weights)
    assert run.finish() == 0, run.log.read_text()
    assert "holds the state of another configuration; this training starts anew" in run.log.read_text()
    fresh = Run(tmp_path, "fresh")
    assert fresh.finish() == 0
    assert run.results() == fresh.results()


def change_one_weight(path: Path) -> None:
    metadata = read_metadata(path)
    tensors = load_file(path)
    next(iter(tensors.values())).add_(1)
    save_file(tensors, path, metadata)
