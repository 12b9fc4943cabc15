"""What was measured of a training step and of inference, running out of memory included."""

import gc
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Literal, TypeVar

import torch

T = TypeVar("T")

Status = Literal["measured", "out of memory"]

#: How the allocators and libraries say it where they raise no error of its own class.
OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "STATUS_ALLOC_FAILED")


@dataclass(frozen=True)
class Measurement:
    """One training step in the steady state. Bytes; None where the device has no such number.

    Attributes:
        status: whether the step ran; if not, all numbers are None.
        message: what the allocator said when memory ran out.
        peak_allocated_bytes: CUDA: ``torch.cuda.max_memory_allocated``, whole blocks of the allocator. CPU:
            live storages, each rounded up to 512 bytes.
        peak_requested_bytes: CUDA: the same as was asked for, without rounding.
        peak_reserved_bytes: CUDA: ``torch.cuda.max_memory_reserved``.
        steady_allocated_bytes: what is allocated between two steps: parameters, optimiser state and batch,
            and on CUDA the workspaces that cuBLAS keeps.
        context_bytes: CUDA: taken of the card before anything is allocated.
        outside_allocator_bytes: CUDA: taken of the card beside PyTorch's allocator after the steps: context,
            kernels, libraries. Both count other programs too.
        allocation_retries: CUDA: how often cached memory had to be given back to serve a request; times are
            not those of the steady state unless it is 0.
        peak_resident_bytes: CPU: resident memory of a process that does nothing else.
        start_resident_bytes: CPU: the same before the model is built: interpreter and libraries.
        step_seconds: of every timed step.
    """

    status: Status
    message: str = ""
    peak_allocated_bytes: int | None = None
    peak_requested_bytes: int | None = None
    peak_reserved_bytes: int | None = None
    steady_allocated_bytes: int | None = None
    context_bytes: int | None = None
    outside_allocator_bytes: int | None = None
    allocation_retries: int | None = None
    peak_resident_bytes: int | None = None
    start_resident_bytes: int | None = None
    step_seconds: tuple[float, ...] = ()

    @property
    def seconds_per_step(self) -> float | None:
        """The median."""
        return median(self.step_seconds) if self.step_seconds else None


@dataclass(frozen=True)
class InferencePeak:
    """Tracking one video without gradients. Bytes; None where memory ran out or on a device without.

    Attributes:
        status, message, peak_allocated_bytes: as for a training step.
        steady_allocated_bytes: CUDA: what is allocated before and after: parameters, video, and the
            workspaces that cuBLAS keeps.
        seconds: that it took.
    """

    status: Status
    message: str = ""
    peak_allocated_bytes: int | None = None
    steady_allocated_bytes: int | None = None
    seconds: float | None = None


def attempt(run: Callable[[], T], out_of_memory: Callable[[str], T]) -> T:
    """What ``run`` returns; when memory runs out, what ``out_of_memory`` makes of the message.

    Either way the memory of a failed attempt is free again.
    """
    try:
        return run()
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        message = str(error).partition("\n")[0]
    # only here, where the error is gone, nothing holds the tensors of the attempt any more
    free_memory()
    return out_of_memory(message)


def is_out_of_memory(error: Exception) -> bool:
    """Whether ``error`` says that memory ran out."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return any(words in str(error) for words in OUT_OF_MEMORY)


def free_memory() -> None:
    """Free what nothing refers to any more, on the GPU also what its libraries and the allocator keep."""
    gc.collect()
    if torch.cuda.is_initialized():
        torch._C._cuda_clearCublasWorkspaces()
        torch.cuda.empty_cache()
