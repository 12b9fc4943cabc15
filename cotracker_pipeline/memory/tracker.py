"""Live bytes of a computation: real tensors on any device, or meta tensors that take no memory at all."""

import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload
from torch.utils._python_dispatch import TorchDispatchMode

from cotracker_pipeline.memory.components import component_of
from cotracker_pipeline.memory.flops import count_flops
from cotracker_pipeline.memory.ledger import GRANULE, Block, Event, Ledger, Peak, Phase
from cotracker_pipeline.memory.modules import NO_CALL, Call, ModuleTrace

#: Calls an operator: its result, and its floating-point operations.
Execute = Callable[[OpOverload, tuple[Any, ...], Mapping[str, Any]], tuple[Any, int]]


def call(operator: OpOverload, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[Any, int]:
    """Execute an operator as it is."""
    result = operator(*args, **kwargs)
    return result, count_flops(operator, args, kwargs, result)


class TrackedStorage(weakref.ref[torch.UntypedStorage]):
    """A storage that is counted; dead when it returns None.

    Attributes:
        key: identifies the storage while it lives.
        ledger, block: where it is counted.
    """

    __slots__ = ("block", "key", "ledger")
    key: int
    ledger: Ledger
    block: Block


class MemoryTracker(TorchDispatchMode):
    """Follows every storage from the operator that makes it to its release.

    Storages are counted, not tensors: views and in-place operators add nothing. What existed before the
    context is made known by ``register``.

    Args:
        device: the device type that is counted; scalars kept on the host beside it are not.
        locate: dotted path of the module that computes now.
        execute: how to execute an operator.
        trace: knows which call of a module computes; without it no storage belongs to a call.

    Attributes:
        ledger: the account.
        check: called before the next operator, then forgotten.
    """

    def __init__(
        self,
        device: str,
        locate: Callable[[], str],
        execute: Execute = call,
        trace: ModuleTrace | None = None,
    ) -> None:
        super().__init__()
        self.ledger = Ledger()
        self.check: Callable[[], None] | None = None
        self._device = device
        self._locate = locate
        self._execute = execute
        self._trace = trace
        self._storages: dict[int, TrackedStorage] = {}
        self._hidden = False
        self._phase = ""
        self._phase_component: str | None = None

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # nothing is compiled here, and the guard against it takes longer than many an operator
        return False

    @property
    def live_bytes(self) -> int:
        """Bytes of all storages that live now."""
        return self.ledger.live_bytes

    @property
    def peak(self) -> Peak:
        """The most live bytes after any operator."""
        return self.ledger.peak

    @property
    def events(self) -> list[Event]:
        """Every allocation and release, in order."""
        return self.ledger.events

    @property
    def calls(self) -> Sequence[Call]:
        """The calls that storages belong to, by number."""
        return self._trace.calls if self._trace else ()

    @property
    def flops(self) -> int:
        """Floating-point operations of matrix products, convolutions and attention."""
        return self.ledger.flops

    @contextmanager
    def phase(self, name: str, component: str | None = None) -> Iterator[None]:
        """Name a phase of the step; ``component`` owns all of its new storages, else the module's does."""
        self._phase, self._phase_component = name, component
        start = len(self.events)
        yield
        self.ledger.phases.append(Phase(name, start, len(self.events)))
        self._phase, self._phase_component = "", None

    @contextmanager
    def aside(self, ledger: Ledger) -> Iterator[None]:
        """Count what is new in another ledger."""
        usual, self.ledger = self.ledger, ledger
        try:
            yield
        finally:
            self.ledger = usual

    @contextmanager
    def hidden(self) -> Iterator[None]:
        """Execute operators without counting anything."""
        self._hidden = True
        try:
            yield
        finally:
            self._hidden = False

    def register(self, component: str, tensors: Iterable[Tensor]) -> None:
        """Count the storages of ``tensors`` under ``component``, from now on or instead of another one."""
        for tensor in tensors:
            known = self.storage_of(tensor)
            if known is None:
                self._add(tensor.untyped_storage(), component)
            else:
                known.ledger.relabel(known.block, component)
        self._note_peak("register")

    def storage_of(self, tensor: Tensor) -> TrackedStorage | None:
        """The storage of ``tensor``, None when it is not counted."""
        return self._storages.get(tensor.untyped_storage()._cdata)

    def adopt(self, tensor: Tensor, block: Block) -> TrackedStorage:
        """Let a live block of the ledger be the storage of ``tensor``, which is not counted yet."""
        return self._follow(tensor.untyped_storage(), block)

    def abandon(self, tensor: Tensor) -> TrackedStorage | None:
        """Count the storage of ``tensor`` as released now."""
        known = self._storages.pop(tensor.untyped_storage()._cdata, None)
        if known is not None:
            known.ledger.release(known.block)
        return known

    def __torch_dispatch__(
        self,
        func: OpOverload,
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if self._hidden:
            return func(*args, **(kwargs or {}))
        if self.check is not None:
            check, self.check = self.check, None
            check()
        # reading the shape of a tensor is itself a call that function modes (autocast) would look at
        with torch._C.DisableTorchFunction():
            # some tensors are made unseen, such as constants that are copied from the host
            self._see(args)
            result, flops = self._execute(func, args, kwargs or {})
            self.ledger.flops += flops
            self._see((result,))
            self._note_peak(func)
        return result

    def _see(self, values: Iterable[Any]) -> None:
        """Count the storages of the tensors among ``values``, lists of tensors included."""
        for value in values:
            if isinstance(value, Tensor):
                storage = value.untyped_storage()
                if storage._cdata not in self._storages and value.device.type == self._device:
                    self._add(storage, self._phase_component or component_of(self._locate()))
            elif isinstance(value, (tuple, list)) and value and not isinstance(value[0], int):
                self._see(value)

    def _add(self, storage: torch.UntypedStorage, component: str) -> None:
        size = -(-storage.nbytes() // GRANULE) * GRANULE
        if size:
            calling = self._trace.current_call() if self._trace else NO_CALL
            self._follow(storage, self.ledger.allocate(size, component, calling))

    def _follow(self, storage: torch.UntypedStorage, block: Block) -> TrackedStorage:
        known = TrackedStorage(storage, self._remove)
        known.key, known.ledger, known.block = storage._cdata, self.ledger, block
        self._storages[known.key] = known
        return known

    def _remove(self, known: TrackedStorage) -> None:
        # one that was abandoned is not there any more
        if self._storages.pop(known.key, None) is not None:
            known.ledger.release(known.block)

    def _note_peak(self, operation: object) -> None:
        ledger = self.ledger
        if ledger.live_bytes > ledger.peak.bytes:
            ledger.note_peak(self._phase, self._locate(), str(operation))
