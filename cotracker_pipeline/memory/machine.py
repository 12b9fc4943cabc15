"""Where and with what something was measured."""

import os
import platform
from datetime import UTC, datetime
from typing import NamedTuple

import torch

from cotracker_pipeline.config import Card
from cotracker_pipeline.environment import commit, driver, processor, total_bytes


class Machine(NamedTuple):
    """What every row of measurements carries; None where there is no such thing.

    Attributes:
        device: name of the GPU or the CPU.
        device_bytes: its memory.
        threads: CPU threads of an operator.
        driver, cuda, cudnn: versions, on a GPU.
        convolution_tf32, product_tf32: whether convolutions and matrix products of fp32 may round to TF32.
        allocator: settings of PyTorch's allocator, as the environment gives them.
        python, torch: versions.
        date: ISO 8601, UTC.
        commit: of the source tree, with "-dirty" where it is changed.
    """

    device: str
    device_bytes: int
    threads: int
    driver: str | None
    cuda: str | None
    cudnn: str | None
    convolution_tf32: bool | None
    product_tf32: bool | None
    allocator: str | None
    python: str
    torch: str
    date: str
    commit: str | None


def describe_machine(device: str) -> Machine:
    """The machine as it is now, seen by a program that computes on ``device``, ``cuda`` or ``cpu``."""
    on_gpu = device == "cuda"
    name, size = _gpu() if on_gpu else (processor(), total_bytes())
    return Machine(
        device=name,
        device_bytes=size,
        threads=torch.get_num_threads(),
        driver=driver() if on_gpu else None,
        cuda=torch.version.cuda if on_gpu else None,
        cudnn=str(torch.backends.cudnn.version()) if on_gpu else None,
        convolution_tf32=torch.backends.cudnn.allow_tf32 if on_gpu else None,
        product_tf32=torch.backends.cuda.matmul.allow_tf32 if on_gpu else None,
        allocator=os.environ.get("PYTORCH_CUDA_ALLOC_CONF") if on_gpu else None,
        python=platform.python_version(),
        torch=torch.__version__,
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        commit=commit(),
    )


def card_bytes(device: str) -> int | None:
    """What this program may use of the GPU: what is free, and its own CUDA context; None on a CPU."""
    if device != "cuda":
        return None
    free, total = torch.cuda.mem_get_info()
    return min(total, free + Card().context_bytes)


def _gpu() -> tuple[str, int]:
    properties = torch.cuda.get_device_properties(torch.cuda.current_device())
    return properties.name, properties.total_memory
