"""What autograd saves for the backward pass, on the host until then."""

import weakref
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.weak import WeakIdKeyDictionary

#: Bytes; smaller storages stay, as a copy takes longer than it is worth.
SMALLEST = 2**20


class HostCopy:
    """A tensor on the host, pinned where it comes from a GPU.

    Copies run on ``stream``, beside what is computed meanwhile; without a GPU there is none.
    """

    def __init__(self, tensor: Tensor, stream: torch.cuda.Stream | None) -> None:
        self.device = tensor.device
        self._stream = stream
        self._fetched: tuple[Tensor, torch.cuda.Event | None] | None = None
        self._kept = _blank_on_host(tensor)
        if stream is None:
            if not tensor.is_meta:
                self._kept.copy_(tensor)
            return
        stream.wait_stream(torch.cuda.current_stream(tensor.device))
        with torch.cuda.stream(stream):
            self._kept.copy_(tensor, non_blocking=True)
        # its memory is not given to others before it is copied
        tensor.record_stream(stream)

    def fetch(self) -> None:
        """Begin to copy it back."""
        if self._fetched is None:
            self._fetched = self._copied_back()

    def take(self) -> Tensor:
        """It, back on its device; from now on it is no longer held there."""
        self.fetch()
        assert self._fetched is not None
        (tensor, copied), self._fetched = self._fetched, None
        if copied is not None:
            copied.wait(torch.cuda.current_stream(self.device))
        return tensor

    def _copied_back(self) -> tuple[Tensor, torch.cuda.Event | None]:
        tensor = torch.empty_like(self._kept, device=self.device)
        if self._stream is None:
            if not tensor.is_meta:
                tensor.copy_(self._kept)
            return tensor, None
        # where it comes to lie something else may still be read
        self._stream.wait_stream(torch.cuda.current_stream(self.device))
        with torch.cuda.stream(self._stream):
            tensor.copy_(self._kept, non_blocking=True)
        return tensor, self._stream.record_event()


class Use(NamedTuple):
    """A saved tensor on the host, and the one saved before it, which the backward pass wants next."""

    copy: HostCopy
    before: Callable[[], HostCopy | None]


class Offload(saved_tensors_hooks):
    """While it is open, what autograd saves goes to the host; for one forward pass.

    Exact: tensors come back as they went. The backward pass fetches one tensor ahead. Of checkpoints only the
    inputs are saved, as always.

    Args:
        staying: tensors whose storage is on the device all the time, such as parameters.
    """

    def __init__(self, staying: Iterable[Tensor]) -> None:
        super().__init__(self._to_host, _from_host)
        self._staying = {tensor.untyped_storage()._cdata for tensor in staying}
        self._stream: torch.cuda.Stream | None = None
        self._copies = WeakIdKeyDictionary()
        self._last: Callable[[], HostCopy | None] = _nothing

    def _to_host(self, tensor: Tensor) -> Tensor | Use:
        # a small view keeps all of its storage
        storage = tensor.untyped_storage()
        if storage.nbytes() < SMALLEST or storage._cdata in self._staying:
            return tensor
        if tensor.is_cuda and self._stream is None:
            self._stream = torch.cuda.Stream(tensor.device)
        copy = self._copy_of(tensor)
        use = Use(copy, self._last)
        self._last = weakref.ref(copy)
        return use

    def _copy_of(self, tensor: Tensor) -> HostCopy:
        """One for all that save the same part of the same storage, unchanged."""
        copies = self._copies.setdefault(tensor.untyped_storage(), weakref.WeakValueDictionary())
        part = (tensor._version, tensor.dtype, tensor.storage_offset(), tensor.shape, tensor.stride())
        copy = copies.get(part)
        if copy is None:
            copy = copies[part] = HostCopy(tensor, self._stream)
        return copy


def offloading(model: nn.Module, offload: bool) -> AbstractContextManager[object]:
    """Where ``offload``, keep what a forward pass of ``model`` saves on the host; nothing else."""
    return Offload([*model.parameters(), *model.buffers()]) if offload else nullcontext()


def _from_host(saved: Tensor | Use) -> Tensor:
    if isinstance(saved, Tensor):
        return saved
    tensor = saved.copy.take()
    before = saved.before()
    if before is not None:
        before.fetch()
    return tensor


def _blank_on_host(tensor: Tensor) -> Tensor:
    if tensor.is_meta:
        # stands for what takes nothing of the device
        return torch.empty((), dtype=tensor.dtype, device="cpu").expand(tensor.shape)
    return torch.empty_like(tensor, device="cpu", pin_memory=tensor.is_cuda)


def _nothing() -> None:
    """What was saved before the first."""
