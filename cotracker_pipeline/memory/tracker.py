"""Live bytes of a computation: real tensors on any device, or meta tensors that take no memory at all."""

import weakref
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch._ops import OpOverload
from torch.utils._python_dispatch import TorchDispatchMode

from cotracker_pipeline.memory.components import component_of
from cotracker_pipeline.memory.flops import FlopCount

#: The CUDA caching allocator hands out multiples of this many bytes.
GRANULE = 512

Execute = Callable[[OpOverload, tuple[Any, ...], Mapping[str, Any]], Any]


class Event(NamedTuple):
    """One allocation (bytes > 0) or the end of it (bytes < 0); ``block`` names the allocation."""

    block: int
    bytes: int


class Peak(NamedTuple):
    """The moment of most live bytes.

    Attributes:
        bytes: all live bytes.
        breakdown: component to bytes; sums to ``bytes``.
        phase: forward, backward, clip or optimiser.
        module: dotted path of the module that computed, empty outside of the model's parts.
        operation: name of the operator.
    """

    bytes: int
    breakdown: dict[str, int]
    phase: str
    module: str
    operation: str


class _Storage:
    """What is known of one live storage."""

    __slots__ = ("bytes", "component", "number", "reference")

    def __init__(self, size: int, component: str, number: int) -> None:
        self.bytes = size
        self.component = component
        self.number = number
        self.reference: Any = None


def call(operator: OpOverload, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """Execute an operator as it is."""
    return operator(*args, **kwargs)


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
        self.live_bytes = 0
        self.peak = Peak(0, {}, "", "", "")
        self.events: list[Event] = []
        self.flops = FlopCount()
        self._device = device
        self._locate = locate
        self._execute = execute
        self._storages: dict[int, _Storage] = {}
        self._by_component: Counter[str] = Counter()
        self._phase = ""
        self._phase_component: str | None = None

    @contextmanager
    def phase(self, name: str, component: str | None = None) -> Iterator[None]:
        """Name a phase of the step; ``component`` owns all of its new storages, else the module's does."""
        self._phase, self._phase_component = name, component
        yield
        self._phase, self._phase_component = "", None

    def register(self, component: str, tensors: Iterable[Tensor]) -> None:
        """Count the storages of ``tensors`` under ``component``, from now on or instead of another one."""
        for tensor in tensors:
            known = self._storages.get(tensor.untyped_storage()._cdata)
            if known is None:
                self._add(tensor.untyped_storage(), component)
            else:
                self._by_component[known.component] -= known.bytes
                self._by_component[component] += known.bytes
                known.component = component
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
            kwargs = kwargs or {}
            # some tensors are made unseen, such as constants that are copied from the host
            self._see(args)
            result = self._execute(func, args, kwargs)
            self.flops.add(func, args, kwargs, result)
            self._see((result,))
            self._note_peak(func)
        return result

    def _see(self, values: Iterable[Any]) -> None:
        """Count the storages of the tensors among ``values``, lists of tensors included."""
        for value in values:
            if isinstance(value, Tensor):
                self._see_tensor(value)
            elif isinstance(value, (tuple, list)) and value and not isinstance(value[0], int):
                self._see(value)

    def _see_tensor(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        if storage._cdata not in self._storages and tensor.device.type == self._device:
            self._add(storage, self._phase_component or component_of(self._locate()))

    def _add(self, storage: torch.UntypedStorage, component: str) -> None:
        size = -(-storage.nbytes() // GRANULE) * GRANULE
        if not size:
            return
        key = storage._cdata
        known = _Storage(size, component, len(self.events))
        known.reference = weakref.ref(storage, lambda _: self._remove(key))
        self._storages[key] = known
        self.live_bytes += size
        self._by_component[component] += size
        self.events.append(Event(known.number, size))

    def _remove(self, key: int) -> None:
        gone = self._storages.pop(key)
        self.live_bytes -= gone.bytes
        self._by_component[gone.component] -= gone.bytes
        self.events.append(Event(gone.number, -gone.bytes))

    def _note_peak(self, operation: object) -> None:
        if self.live_bytes > self.peak.bytes:
            breakdown = {name: size for name, size in self._by_component.items() if size}
            self.peak = Peak(self.live_bytes, breakdown, self._phase, self._locate(), str(operation))
