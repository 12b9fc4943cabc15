"""Golden numbers of the official model, and the rule that generated its weights and videos."""

import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

GOLDEN = Path(__file__).parents[1] / "golden" / "model"


def _load_rule() -> ModuleType:
    spec = importlib.util.spec_from_file_location("golden_rule", GOLDEN / "golden_rule.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


RULE = _load_rule()


@dataclass(frozen=True)
class GoldenCase:
    """One golden file: its name, its arrays, its description and the video that belongs to it."""

    name: str
    arrays: dict[str, np.ndarray]
    meta: dict

    def __getitem__(self, key: str) -> torch.Tensor:
        return torch.from_numpy(np.atleast_1d(self.arrays[key])).reshape(self.arrays[key].shape)

    @property
    def video(self) -> torch.Tensor:
        meta = self.meta
        video = RULE.video(
            meta["seed"], meta["video_name"], meta["T"], meta["H"], meta["W"], meta.get("B", 1)
        )
        return torch.from_numpy(video)


def load_case(name: str) -> GoldenCase:
    with np.load(GOLDEN / f"{name}.npz") as file:
        arrays = {key: file[key] for key in file.files}
    return GoldenCase(name, arrays, json.loads(str(arrays.pop("meta"))))


@pytest.fixture(scope="session")
def rule() -> ModuleType:
    return RULE


@pytest.fixture(scope="session")
def golden_folder() -> Path:
    return GOLDEN


@pytest.fixture(scope="session")
def golden():
    return load_case


def unit(name: str, shape: tuple[int, ...], seed: int = 11) -> torch.Tensor:
    return torch.from_numpy(RULE.unit(seed, name, shape)).float()


@pytest.fixture(name="unit")
def unit_fixture():
    return unit
