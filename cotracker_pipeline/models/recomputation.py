"""Gradient checkpointing of one part of a model."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint


def recompute(part: Callable[..., Tensor], *inputs: Tensor) -> Tensor:
    """Call ``part(*inputs)`` keeping only the inputs; the backward pass computes the rest again.

    Exact: the same operations on the same numbers. Nothing in the model draws random numbers, so the random
    state is not kept.
    """
    if not torch.is_grad_enabled():
        return part(*inputs)
    return checkpoint(part, *inputs, use_reentrant=False, preserve_rng_state=False)
