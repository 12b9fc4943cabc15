"""Live bytes of a computation: real tensors on any device, or meta tensors that take no memory at all."""

import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload
from torch.utils._python_dispatch import TorchDispatchMode

from cotracker_pipeline.memory.components import component_of
from cotracker_pipeline.memory.flops import count_flops
from cotracker_pipeline.memory.ledger import GRANULE, Block, Event, Ledger, Peak

#: Calls an operator: its result, and its floating-point operations.
Execute = Callable[[OpOverload, tuple[Any, ...], Mapping[str, Any]], tuple[Any, int]]


def call(operator: OpOverload, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[Any, int]:
    """Execute an operator as it is."""
    result = operator(*args, **kwargs)
    return result, count_flops(operator, args, kwargs, result)


class _StorageDeath(weakref.ref[torch.UntypedStorage]):
    """A weak reference that knows which storage it was."""

    __slots__ = ("key",)
    key: int


class MemoryTracker(TorchDispatchMode):
    """Follows every storage from the operator that makes it to its release.

    Storages are counted, not tensors: views and in-place operators add nothing. What existed before the
    context is made known by ``register``.

    Args:
        device: the device type that is counted; scalars kept on the host beside it are not.
        locate: dotted path of the module that computes now.
        execute: how to execute an operator.
    """

    def __init__(self, device: str, locate: Callable[[], str], execute: Execute = call) -> None:
        super().__init__()
        self.flops = 0
        self._ledger = Ledger()
        self._device = device
        self._locate = locate
        self._execute = execute
        self._blocks: dict[int, tuple[Block, _StorageDeath]] = {}
        self._phase = ""
        self._phase_component: str | None = None

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # nothing is compiled here, and the guard against it takes longer than many an operator
        return False

    @property
    def live_bytes(self) -> int:
        """Bytes of all storages that live now."""
        return self._ledger.live_bytes

    @property
    def peak(self) -> Peak:
        """The most live bytes after any operator."""
        return self._ledger.peak

    @property
    def events(self) -> list[Event]:
        """Every allocation and release, in order."""
        return self._ledger.events

    @contextmanager
    def phase(self, name: str, component: str | None = None) -> Iterator[None]:
        """Name a phase of the step; ``component`` owns all of its new storages, else the module's does."""
        self._phase, self._phase_component = name, component
        yield
        self._phase, self._phase_component = "", None

    def register(self, component: str, tensors: Iterable[Tensor]) -> None:
        """Count the storages of ``tensors`` under ``component``, from now on or instead of another one."""
        for tensor in tensors:
            storage = tensor.untyped_storage()
            if storage._cdata in self._blocks:
                self._ledger.relabel(self._blocks[storage._cdata][0], component)
            else:
                self._add(storage, component)
        self._note_peak("register")

    def __torch_dispatch__(
        self,
        func: OpOverload,
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        # reading the shape of a tensor is itself a call that function modes (autocast) would look at
        with torch._C.DisableTorchFunction():
            # some tensors are made unseen, such as constants that are copied from the host
            self._see(args)
            result, flops = self._execute(func, args, kwargs or {})
            self.flops += flops
            self._see((result,))
            self._note_peak(func)
        return result

    def _see(self, values: Iterable[Any]) -> None:
        """Count the storages of the tensors among ``values``, lists of tensors included."""
        for value in values:
            if isinstance(value, Tensor):
                storage = value.untyped_storage()
                if storage._cdata not in self._blocks and value.device.type == self._device:
                    self._add(storage, self._phase_component or component_of(self._locate()))
            elif isinstance(value, (tuple, list)) and value and not isinstance(value[0], int):
                self._see(value)

    def _add(self, storage: torch.UntypedStorage, component: str) -> None:
        size = -(-storage.nbytes() // GRANULE) * GRANULE
        if size:
            death = _StorageDeath(storage, self._remove)
            death.key = storage._cdata
            self._blocks[death.key] = self._ledger.allocate(size, component), death

    def _remove(self, death: _StorageDeath) -> None:
        self._ledger.release(self._blocks.pop(death.key)[0])

    def _note_peak(self, operation: object) -> None:
        ledger = self._ledger
        if ledger.live_bytes > ledger.peak.bytes:
            ledger.note_peak(self._phase, self._locate(), str(operation))
