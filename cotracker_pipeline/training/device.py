"""Where a model computes."""

from typing import Literal

import torch

from cotracker_pipeline.errors import UserError


def use_device(name: Literal["cpu", "cuda"], threads: int) -> torch.device:
    """The device ``name``, with ``threads`` CPU threads.

    Raises:
        UserError: when there is no such device.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise UserError("training.device is cuda, but torch sees no GPU here; set training.device to cpu")
    torch.set_num_threads(threads)
    return torch.device(name)
