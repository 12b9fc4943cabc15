"""Where a model computes."""

import ctypes
from typing import Literal

import torch

from cotracker_pipeline.errors import UserError

# glibc's malloc.h
_M_TRIM_THRESHOLD = -1
_M_MMAP_MAX = -4
_NEVER = 2**31 - 1


def use_device(name: Literal["cpu", "cuda"], threads: int) -> torch.device:
    """The device ``name``, with ``threads`` CPU threads.

    Raises:
        UserError: when there is no such device.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise UserError("training.device is cuda, but torch sees no GPU here; set training.device to cpu")
    torch.set_num_threads(threads)
    if name == "cpu":
        _keep_freed_memory()
    return torch.device(name)


def choose_device(name: str | None) -> str:
    """``name``, or by default a GPU where there is one. Raises ``UserError`` when there is no such device."""
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise UserError("--device is cuda, but torch sees no GPU here; choose --device cpu")
    return name or ("cuda" if available else "cpu")


def _keep_freed_memory() -> None:
    """Have glibc use freed memory again.

    Left to itself it gives large tensors back to the system at once, and every new one is filled page by
    page: a tenth of the time of a small model.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, _NEVER)
