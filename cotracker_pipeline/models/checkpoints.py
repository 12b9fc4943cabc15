"""Model weights on disk: safetensors with the configuration inside, and published files without."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from cotracker_pipeline.config import ModelSize, Recipe, Strategy, Untold, parse_section
from cotracker_pipeline.errors import UserError
from cotracker_pipeline.files import atomic_path
from cotracker_pipeline.models.build import build_model
from cotracker_pipeline.models.detection import detect
from cotracker_pipeline.models.published_files import SUFFIXES, read_published
from cotracker_pipeline.models.tracker import Tracker

_FORMAT = "cotracker_pipeline.model.v1"


class LoadedModel(NamedTuple):
    """A model and what it was trained as."""

    model: Tracker
    size: ModelSize
    recipe: Recipe


def save_model(
    path: str | os.PathLike[str], model: nn.Module, size: ModelSize, recipe: Recipe, **provenance: str
) -> None:
    """Write the weights of ``model`` atomically; ``provenance`` is kept beside the configuration."""
    metadata = {
        "format": _FORMAT,
        "model": size.model_dump_json(),
        "recipe": recipe.model_dump_json(),
        **provenance,
    }
    save_weights(path, model.state_dict(), metadata)


def load_model(path: str | os.PathLike[str], strategy: Strategy) -> LoadedModel:
    """Rebuild a model that ``save_model`` wrote, or a published one.

    Raises:
        UserError: when the file is missing, damaged, of another kind, or its weights do not fit.
    """
    if Path(path).suffix in SUFFIXES:
        return _load_published(path, strategy)
    metadata = read_metadata(path)
    if metadata.get("format") != _FORMAT:
        raise UserError(f"{path}: holds no {_FORMAT}; give a model.safetensors that the train step wrote")
    size = parse_section(ModelSize, json.loads(metadata["model"]), f"{path} (model)")
    recipe = parse_section(Recipe, json.loads(metadata["recipe"]), f"{path} (recipe)")
    model = build_model(size, recipe, strategy)
    load_weights(path, model)
    return LoadedModel(model, size, recipe)


def _load_published(path: str | os.PathLike[str], strategy: Strategy) -> LoadedModel:
    state = read_published(path)
    size, recipe = detect(state, Untold(), str(path))
    published = ModelSize(architecture=size.architecture)
    if size.model_copy(update={"window_len": published.window_len}) != published:
        raise UserError(
            f"{path}: is of other sizes than the published models, and leaves out some of them; convert it "
            "with python -m cotracker_pipeline.convert_checkpoint, which can be told them"
        )
    model = build_model(size, recipe, strategy)
    load_strictly(path, state, model)
    return LoadedModel(model, size, recipe)


def save_weights(path: str | os.PathLike[str], state: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """Write a state dict atomically."""
    tensors = {key: tensor.detach().cpu().contiguous() for key, tensor in state.items()}
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, metadata)


def load_weights(path: str | os.PathLike[str], module: nn.Module) -> None:
    """Load a state dict into ``module``, strictly.

    Raises:
        UserError: naming the first keys that are missing, superfluous or of another shape.
    """
    load_strictly(path, read_weights(path), module)


def read_weights(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """The state dict in a safetensors file. Raises ``UserError`` when there is no such file."""
    read_metadata(path)
    return load_file(path)


def load_strictly(path: str | os.PathLike[str], state: Mapping[str, Tensor], module: nn.Module) -> None:
    """Load ``state``, which comes from ``path``, into ``module``.

    Raises:
        UserError: naming the first keys that are missing, superfluous or of another shape.
    """
    if difference := _difference(state, module.state_dict()):
        raise UserError(
            f"{path}: does not fit the configured model ({difference}); give a checkpoint of its sizes"
        )
    module.load_state_dict(state)


def read_metadata(path: str | os.PathLike[str]) -> dict[str, str]:
    """The metadata of a safetensors file. Raises ``UserError`` when there is no such file."""
    if not Path(path).is_file():
        raise UserError(f"{path}: there is no such checkpoint; train one or give another path")
    try:
        with safe_open(path, framework="pt") as file:
            return dict(file.metadata() or {})
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path}: is no readable safetensors file ({error}); write it again") from error


def _difference(state: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> str:
    missing = [f"{key} is missing" for key in expected if key not in state]
    unknown = [f"{key} is unknown" for key in state if key not in expected]
    shapes = [
        f"{key} is {tuple(state[key].shape)} instead of {tuple(tensor.shape)}"
        for key, tensor in expected.items()
        if key in state and state[key].shape != tensor.shape
    ]
    found = shapes + missing + unknown
    more = f" and {len(found) - 3} more" if len(found) > 3 else ""
    return ", ".join(found[:3]) + more
