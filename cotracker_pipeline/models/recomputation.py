"""Gradient checkpointing of one part of a model."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from cotracker_pipeline.models.cuda_autocast import CudaAutocast

#: Calls a part, given as the first argument, on inputs.
Caller = Callable[..., Tensor]

_callers: list[Caller] = []


def recompute(part: Callable[..., Tensor], *inputs: Any) -> Tensor:
    """Call ``part(*inputs)`` keeping only the inputs; the backward pass computes the rest again.

    Exact: the same operations on the same numbers. Nothing in the model draws random numbers, so the random
    state is not kept.
    """
    if not torch.is_grad_enabled():
        return part(*inputs)
    caller = _callers[-1] if _callers else checkpointed
    return caller(part, *inputs)


def recompute_if(recomputed: bool, part: Callable[..., Tensor], *inputs: Any) -> Tensor:
    """Call ``part(*inputs)``, by ``recompute`` where it is ``recomputed``."""
    return recompute(part, *inputs) if recomputed else part(*inputs)


def checkpointed(part: Callable[..., Tensor], *inputs: Any) -> Tensor:
    """What ``recompute`` does while gradients are recorded."""
    mode = CudaAutocast.outermost()
    if mode is not None:
        # torch enters its own autocast again, but does not know of this one
        part = partial(_under, mode.dtype, part)
    return checkpoint(part, *inputs, use_reentrant=False, preserve_rng_state=False)


def _under(dtype: torch.dtype, part: Callable[..., Tensor], *inputs: Any) -> Tensor:
    with CudaAutocast(dtype):
        return part(*inputs)


@contextmanager
def recomputing_by(caller: Caller) -> Iterator[None]:
    """Let ``caller`` stand in for ``checkpointed`` inside."""
    _callers.append(caller)
    try:
        yield
    finally:
        _callers.pop()
