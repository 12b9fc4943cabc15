"""Opening any checkpoint that a user may have: a model of the train step, or a published file."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from cotracker_pipeline.config import PUBLISHED_SIZES, ModelSize, Recipe, Strategy, parse_section
from cotracker_pipeline.errors import UserError
from cotracker_pipeline.models.build import build_model
from cotracker_pipeline.models.checkpoints import LoadedModel, load_model, load_strictly
from cotracker_pipeline.models.pretrained import read_state

_OF_COTRACKER3 = "corr_mlp.fc1.weight"
_TIME_TABLE = "time_emb"


def open_model(path: str | os.PathLike[str], strategy: Strategy) -> LoadedModel:
    """The tracker in a ``model.safetensors`` of the train step or in a published ``.pth``.

    A published file does not say what it holds: its keys tell CoTracker2 from CoTracker3, the frames of its
    table of time embeddings the length of a window, and CoTracker3 online from offline.

    Raises:
        UserError: when the file is missing, damaged, of another kind, or its weights do not fit.
    """
    if Path(path).suffix == ".safetensors":
        return load_model(path, strategy)
    state = read_state(path)
    size = parse_section(ModelSize, _size(state, path), f"{path} (model)")
    # CoTracker3 was trained, and is used, without the mask
    recipe = Recipe(use_attention_mask=size.architecture == "cotracker2")
    model = build_model(size, recipe, strategy)
    load_strictly(path, state, model)
    return LoadedModel(model, size, recipe)


def _size(state: Mapping[str, Tensor], path: str | os.PathLike[str]) -> dict[str, Any]:
    table = state.get(_TIME_TABLE)
    if table is None or table.ndim != 3:
        raise UserError(f"{path}: holds no CoTracker ({_TIME_TABLE} is missing); give a published checkpoint")
    frames = table.shape[1]
    if _OF_COTRACKER3 not in state:
        return {"architecture": "cotracker2", "window_len": frames}
    for architecture, size in PUBLISHED_SIZES.items():
        if size["window_len"] == frames:
            return {"architecture": architecture}
    raise UserError(
        f"{path}: its windows of {frames} frames are neither those of CoTracker3 online nor of offline; "
        "give a published checkpoint"
    )
