"""Which model a state dict belongs to: from its keys and shapes, and from what no tensor says."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from torch import Tensor

from cotracker_pipeline.config import PUBLISHED_SIZES, Architecture, ModelSize, Recipe, Untold, parse_section
from cotracker_pipeline.errors import UserError
from cotracker_pipeline.models.cotracker2 import token_width
from cotracker_pipeline.models.embeddings import MOTION_WIDTH

TOKENS = "updateformer.input_transform.weight"
"""What tokens enter the transformer by: (hidden_size, token width)."""

#: Only CoTracker3 has them, and CoTracker2.
_CORRELATION = "corr_mlp.fc1.weight"
_VISIBILITY = "vis_predictor.0.weight"
#: One of each size of the encoder: of the stem and its four stages.
_WIDTHS = ("conv1", "layer1.0.conv1", "layer2.0.conv1", "layer3.0.conv1", "layer4.0.conv1")
_MOST = 10


class Detected(NamedTuple):
    """The sizes of a model, and of its recipe what a model is built by."""

    size: ModelSize
    recipe: Recipe


def detect(state: Mapping[str, Tensor], untold: Untold, where: str) -> Detected:
    """What ``state`` is the state of; a size whose tensor is missing is taken to be the published one.

    Args:
        state: of a checkpoint, read from ``where``.
        untold: what tensors do not say.

    Raises:
        UserError: when it is of neither CoTracker2 nor CoTracker3, or of a CoTracker3 of which ``untold``
            has to say whether it is online or offline, or when sizes contradict each other.
    """
    architecture = untold.architecture or _architecture(state, where)
    found = _shared_sizes(state) | _own_sizes(state, architecture, untold)
    values = untold.model_dump(include=_SIZES) | {"architecture": architecture} | found
    size = parse_section(ModelSize, {key: value for key, value in values.items() if value is not None}, where)
    masked = untold.use_attention_mask
    recipe = {
        "corr_radius": radius_of(state, size) or Recipe().corr_radius,
        # the published CoTracker3 online computes the mask and does not use it
        "use_attention_mask": architecture != "cotracker3-online" if masked is None else masked,
    }
    return Detected(size, Recipe.model_validate(recipe))


def radius_of(state: Mapping[str, Tensor], size: ModelSize) -> int | None:
    """The correlation radius whose tokens are as wide as those of ``state``; None when none is."""
    radii = range(1, _MOST)
    if size.architecture == "cotracker2":
        width = _length(state, TOKENS, 1)
        return next((r for r in radii if token_width(r, size.corr_levels, size.feature_dim) == width), None)
    width = _length(state, _CORRELATION, 1)
    return next((r for r in radii if (2 * r + 1) ** 4 == width), None)


#: Sizes that no tensor has.
_SIZES = {"stride", "num_heads", "model_resolution", "corr_levels", "first_estimate"}


def _architecture(state: Mapping[str, Tensor], where: str) -> Architecture:
    if _VISIBILITY in state:
        return "cotracker2"
    if _CORRELATION not in state:
        raise UserError(
            f"{where}: has neither {_VISIBILITY}, as CoTracker2 has, nor {_CORRELATION}, as CoTracker3; "
            "give a checkpoint of one of them"
        )
    frames = _length(state, "time_emb", 1)
    for architecture, sizes in PUBLISHED_SIZES.items():
        if sizes["window_len"] == frames:
            return architecture
    raise UserError(
        f"{where}: is of a CoTracker3 whose time_emb, of {frames} frames, is of neither published model "
        "(16 online, 60 offline); convert it with --architecture cotracker3-online or cotracker3-offline"
    )


def _shared_sizes(state: Mapping[str, Tensor]) -> dict[str, Any]:
    """Those that tensors have in all architectures; None where they are missing."""
    widths = [_channels(state, f"fnet.{layer}") for layer in _WIDTHS]
    return {
        "window_len": _length(state, "time_emb", 1),
        "num_virtual_tracks": _length(state, "updateformer.virual_tracks", 1),
        "feature_dim": _channels(state, "fnet.conv3"),
        "encoder_widths": None if None in widths else widths,
        "hidden_size": _length(state, TOKENS, 0),
        "depth": sum(1 for _ in _blocks(state)) or None,
    }


def _own_sizes(state: Mapping[str, Tensor], architecture: Architecture, untold: Untold) -> dict[str, Any]:
    """Those that tensors have in one architecture only."""
    if architecture == "cotracker2":
        rows, columns = _length(state, "pos_emb", 2), _length(state, "pos_emb", 3)
        if untold.model_resolution or not (rows and columns):
            return {}
        return {"model_resolution": (rows * untold.stride, columns * untold.stride)}
    width, features = _length(state, TOKENS, 1), _channels(state, "fnet.conv3")
    if not (width and features):
        return {}
    return {"corr_levels": max(1, (width - 2 - MOTION_WIDTH) // (2 * features))}


def _blocks(state: Mapping[str, Tensor]) -> Iterator[str]:
    """One key a time block."""
    return (
        key for key in state if key.startswith("updateformer.time_blocks.") and key.endswith("mlp.fc1.bias")
    )


def _channels(state: Mapping[str, Tensor], layer: str) -> int | None:
    """That a layer has; a file that lacks its weight is told so by what does not fit."""
    return _length(state, f"{layer}.weight", 0) or _length(state, f"{layer}.bias", 0)


def _length(state: Mapping[str, Tensor], key: str, axis: int) -> int | None:
    tensor = state.get(key)
    return None if tensor is None or tensor.ndim <= axis else tensor.shape[axis]
