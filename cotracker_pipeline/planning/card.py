"""The memory of a card: reading its size, and what no card can do without."""

import re

import torch

from cotracker_pipeline.config import ModelSize, Recipe, Strategy
from cotracker_pipeline.errors import UserError
from cotracker_pipeline.models.build import build_model
from cotracker_pipeline.units import GB, GIB

#: Bytes of the unit, in capitals; as cards are sold, where a GB is a GiB.
UNITS = {"": GIB, "GB": GIB, "GIB": GIB, "MB": GIB // 1024, "MIB": GIB // 1024}

#: GiB; more is taken for a slip.
LARGEST_CARD = 10_000

#: Parameter, gradient and the two moments of AdamW, in fp32 whatever the precision.
BYTES_PER_PARAMETER = 16


def card_bytes(text: str) -> int:
    """Bytes of a card given as "24GB", "24 GiB", "24576MiB" or "24". Raises ``UserError``."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", text, re.IGNORECASE | re.ASCII)
    unit = UNITS.get(match[2].upper()) if match else None
    if match is None or unit is None:
        raise UserError(f"--gpu-memory {text!r} is no size of a card; write it as 24GB or 24576MiB")
    size = round(float(match[1]) * unit)
    if not 0 < size <= LARGEST_CARD * GIB:
        raise UserError(
            f"--gpu-memory {text!r} is no size that a card can have; give more than 0 and at most "
            f"{LARGEST_CARD} GB"
        )
    return size


def card_name(size: int) -> str:
    """``size`` in bytes, as cards are sold and as needs are reported: "24 GiB = 25.77 GB"."""
    return f"{size / GIB:.4g} GiB = {size / GB:.2f} GB"


def check_parameters_fit(recipe: Recipe, model: ModelSize, size: int) -> None:
    """Raise ``UserError`` when a card of ``size`` bytes cannot hold what every training keeps throughout."""
    try:
        with torch.device("meta"):
            network = build_model(model, recipe, Strategy())
    except (RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"this model cannot be built ({reason}); change memory.model or the recipe"
        ) from error
    least = BYTES_PER_PARAMETER * sum(parameter.numel() for parameter in network.parameters())
    if size < least:
        raise UserError(
            f"a card of {card_name(size)} cannot hold the parameters, gradients and optimiser state of this "
            f"model, which are {least / GB:.2f} GB before anything is computed; choose a larger card"
        )
