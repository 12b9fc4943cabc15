"""Processes that train one model together: what one of them must not decide or compute alone.

Gradients are added up between the backward pass and the update, once all processes know that all got so far.
torch's DistributedDataParallel sends them amid the backward pass: a process that runs out of memory there, or
leaves a step out, would keep the others waiting.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed
from torch import Tensor, nn

from cotracker_pipeline.config import Training
from cotracker_pipeline.errors import Interrupted, UserError

T = TypeVar("T")

#: What no exchange takes longer than: writing a state, compiling or validating a model, included.
LONGEST_WAIT = timedelta(minutes=30)

#: Told by all in one sentence; what else goes wrong ends a process, and torchrun the others.
_SHARED_ERRORS = (UserError, MemoryError)

# linux/prctl.h
_SET_PARENT_DEATH_SIGNAL = 1


class Team:
    """The processes that train together, seen from one of them. One alone exchanges nothing.

    All of them call the same methods in the same order.

    Args:
        rank: number of this process.
        size: how many there are.
    """

    def __init__(self, rank: int = 0, size: int = 1) -> None:
        self.rank = rank
        self.size = size

    @property
    def first(self) -> bool:
        """Whether this process is the one that speaks and writes."""
        return self.rank == 0

    def total(self, values: Tensor) -> Tensor:
        """The sum of ``values`` over all processes; in place."""
        if self.size > 1:
            with _peers_needed():
                torch.distributed.all_reduce(values)
        return values

    def greatest(self, value: int) -> int:
        """The greatest ``value`` of all processes."""
        greatest = torch.tensor(value)
        if self.size > 1:
            with _peers_needed():
                torch.distributed.all_reduce(greatest, torch.distributed.ReduceOp.MAX)
        return int(greatest)

    def together(self, do: Callable[[], T]) -> T:
        """What ``do`` returns here. An error of one process is raised by all, that of the first of them.

        Raises:
            UserError, MemoryError: as ``do`` of any process.
        """
        result, error = _outcome(do)
        if self.greatest(int(error is not None)):
            raise next(one for one in self._gathered(error) if one is not None)
        return result  # type: ignore[return-value]

    def each(self, items: Iterator[T]) -> Iterator[T]:
        """``items``, as many in all processes; an error of one process is raised by all."""
        while (item := self.together(lambda: next(items, None))) is not None:
            yield item

    def from_first(self, do: Callable[[], T]) -> T:
        """What ``do`` returns in the first process, where alone it is called; its error is raised by all.

        Raises:
            UserError, MemoryError: as ``do``.
        """
        outcome = [_outcome(do) if self.first else None]
        if self.size > 1:
            with _peers_needed():
                torch.distributed.broadcast_object_list(outcome)
        assert outcome[0] is not None
        result, error = outcome[0]
        if error is not None:
            raise error
        return result  # type: ignore[return-value]

    def share_weights(self, model: nn.Module) -> None:
        """Give the weights of the first process to all: random numbers may differ between processors."""
        if self.size > 1:
            for tensor in model.state_dict().values():
                torch.distributed.broadcast(tensor, src=0)

    def add_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace each gradient by the sum of those of all processes."""
        for parameter in parameters:
            if parameter.grad is not None:
                self.total(parameter.grad)

    def _gathered(self, error: Exception | None) -> list[Exception | None]:
        errors = [error] * self.size
        if self.size > 1:
            torch.distributed.all_gather_object(errors, error)
        # as it was raised here, with its traceback
        errors[self.rank] = error
        return errors


#: A process that trains alone.
ALONE = Team()


@contextmanager
def joined(training: Training) -> Iterator[Team]:
    """The team of this process, which torchrun has started and numbered.

    What ends all is told by the first process; the others end quietly.
    """
    if training.processes == 1:
        yield ALONE
        return
    _stop_with_parent()
    if training.device == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    # gradients go from GPU to GPU, what processes agree about does not wait for them
    backend = "cpu:gloo,cuda:nccl" if training.device == "cuda" else "gloo"
    torch.distributed.init_process_group(backend, timeout=LONGEST_WAIT)
    team = Team(torch.distributed.get_rank(), torch.distributed.get_world_size())
    try:
        yield team
    except (*_SHARED_ERRORS, Interrupted):
        if team.first:
            raise
        # a failure would have torchrun end the first one, which may be writing
        sys.exit(0)
    # not after an error: others may be gone by then
    torch.distributed.destroy_process_group()


def _outcome(do: Callable[[], T]) -> tuple[T | None, Exception | None]:
    try:
        return do(), None
    except _SHARED_ERRORS as error:
        return None, error


@contextmanager
def _peers_needed() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        raise UserError(
            "another process of this training has ended or cannot be reached; what it said stands above, and "
            "the same command continues"
        ) from error


def _stop_with_parent() -> None:
    """Have this process asked to stop when torchrun is killed (on Linux)."""
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGTERM)
