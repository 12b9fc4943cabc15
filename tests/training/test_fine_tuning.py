"""Training that starts from given weights."""

from pathlib import Path

import pytest
import torch
import yaml

from cotracker_pipeline.config import Study, load_study
from cotracker_pipeline.errors import UserError
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
