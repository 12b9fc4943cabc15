"""Starting from weights that were trained before: the published files, or a ``model.safetensors``."""

import os
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from cotracker_pipeline.config import ModelSize, Recipe
from cotracker_pipeline.models.checkpoints import load_strictly, read_weights
from cotracker_pipeline.models.cotracker2 import token_width
from cotracker_pipeline.models.detection import TOKENS, radius_of
from cotracker_pipeline.models.embeddings import DISPLACEMENT_WIDTH
from cotracker_pipeline.models.published_files import read_published

#: They follow from the sizes; those of another token width do not fit.
_TABLES = ("time_emb", "pos_emb")


def load_pretrained(
    path: str | os.PathLike[str], model: nn.Module, size: ModelSize, recipe: Recipe
) -> list[str]:
    """Load weights into ``model``, which ``size`` and ``recipe`` describe, strictly.

    A CoTracker2 of a smaller correlation radius takes the columns of its own neighbourhood.

    Returns:
        Sentences about what is not as it was trained; none when all is.

    Raises:
        UserError: when the file is missing or no checkpoint, or naming what does not fit.
    """
    return load_state(path, read_state(path), model, size, recipe)


def load_state(
    path: str | os.PathLike[str],
    state: Mapping[str, Tensor],
    model: nn.Module,
    size: ModelSize,
    recipe: Recipe,
) -> list[str]:
    """As ``load_pretrained``, of a state dict that was read from ``path``."""
    warnings = []
    if size.architecture == "cotracker2":
        trained = radius_of(state, size)
        if trained is not None and trained > recipe.corr_radius:
            state = _narrowed(state, trained, recipe.corr_radius, size, model)
            warnings.append(
                f"{path}: was trained with correlation radius {trained}; those columns of its tokens are "
                f"kept that radius {recipe.corr_radius} has, but what is added to tokens of this width is "
                "not what it was: the model is a start, not an equal"
            )
        if not recipe.use_track_mask:
            warnings.append(
                f"{path}: is loaded into a model without track mask; where it was trained with one, the "
                "model computes what that one would with a mask of zeros"
            )
    load_strictly(path, state, model)
    return warnings


def read_state(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """The state dict in a file of either kind.

    Raises:
        UserError: when the file is missing or holds none.
    """
    return read_weights(path) if Path(path).suffix == ".safetensors" else read_published(path)


def _width(radius: int, size: ModelSize) -> int:
    return token_width(radius, size.corr_levels, size.feature_dim)


def _narrowed(
    state: Mapping[str, Tensor], trained: int, radius: int, size: ModelSize, model: nn.Module
) -> dict[str, Tensor]:
    """The state of a model of a smaller radius, with its own tables."""
    weight = state[TOKENS]
    kept = weight[:, _kept_columns(trained, radius, size)]
    padding = weight.new_zeros(len(weight), _width(radius, size) - kept.shape[1])
    tables = {key: tensor for key, tensor in model.state_dict().items() if key in _TABLES}
    return {**state, **tables, TOKENS: torch.cat([kept, padding], dim=1)}


def _kept_columns(trained: int, radius: int, size: ModelSize) -> list[int]:
    """Of the tokens: displacement, of every level the inner neighbourhood, and what follows."""
    side = 2 * trained + 1
    ring = trained - radius
    inner = [row * side + column for row in range(ring, side - ring) for column in range(ring, side - ring)]
    levels = [
        DISPLACEMENT_WIDTH + level * side**2 + place for level in range(size.corr_levels) for place in inner
    ]
    behind = DISPLACEMENT_WIDTH + size.corr_levels * side**2
    # the feature, the track mask and the visibility
    return [*range(DISPLACEMENT_WIDTH), *levels, *range(behind, behind + size.feature_dim + 2)]
