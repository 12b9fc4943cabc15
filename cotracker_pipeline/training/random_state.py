"""torch's own random numbers: those of every other kind are a function of a seed and a number of a step."""

import torch
from torch import Tensor


def random_state() -> dict[str, Tensor]:
    """The generator of the CPU, and that of the GPU where one is in use."""
    # asking for it would start a GPU that the training does not use
    gpu = {"cuda": torch.cuda.get_rng_state()} if torch.cuda.is_initialized() else {}
    return {"cpu": torch.get_rng_state(), **gpu}


def restore_random_state(state: dict[str, Tensor]) -> None:
    """Continue what ``random_state`` returned."""
    torch.set_rng_state(state["cpu"])
    if "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"])
