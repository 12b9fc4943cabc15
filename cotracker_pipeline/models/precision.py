"""Mixed precision: what autocast does, on every device that the model runs on."""

from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import torch

from cotracker_pipeline.models.cuda_autocast import CudaAutocast

Precision = Literal["fp32", "bf16"]


def autocast(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """The context in which a part of the model computes at ``precision``.

    Meta tensors stand for CUDA tensors, so they follow CUDA's lists of operators.
    """
    if precision == "fp32":
        return nullcontext()
    if device.type == "meta":
        return CudaAutocast(torch.bfloat16)
    return torch.autocast(device.type, torch.bfloat16)


def computed_dtype(precision: Precision, dtype: torch.dtype) -> torch.dtype:
    """The dtype of matrix products of tensors of ``dtype`` in that context."""
    return dtype if precision == "fp32" else torch.bfloat16
