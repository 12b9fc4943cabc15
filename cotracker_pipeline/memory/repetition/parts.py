"""Finding the parts of a model that repeat themselves."""

from collections.abc import Callable, Collection, Hashable
from contextlib import ExitStack
from functools import partial
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn

from cotracker_pipeline.memory.modules import ModuleTrace
from cotracker_pipeline.memory.repetition.call import Repeated, Stage
from cotracker_pipeline.memory.repetition.part import Layout, MustRun, Part, Unrepeatable
from cotracker_pipeline.memory.repetition.rehearsal import rehearse_forward
from cotracker_pipeline.memory.signature import signature
from cotracker_pipeline.memory.tracker import MemoryTracker
from cotracker_pipeline.models.cuda_autocast import CudaAutocast
from cotracker_pipeline.models.nested import tensors_in
from cotracker_pipeline.models.recomputation import checkpointed, recomputing_by

#: Calls that do less to memory are not worth a rehearsal.
LEAST_EVENTS = 20
#: The same for calls that gradients flow back through, which takes some rehearsals.
LEAST_EVENTS_WITH_GRAPH = 100


class Repetition:
    """Repeats the parts of ``model`` while the context is open: its children, and what it recomputes.

    Args:
        model: on meta.
        tracker: of the step.
        trace: of the model.
        excluded: names of parts that have to be run, from earlier ``MustRun``.

    Raises:
        MustRun: when what has been tracked is not exact.
    """

    def __init__(
        self,
        model: nn.Module,
        tracker: MemoryTracker,
        trace: ModuleTrace,
        excluded: Collection[Hashable] = (),
    ) -> None:
        self._model = model
        self._excluded = excluded
        self._ledger = tracker.ledger
        self._stage = Stage(tracker, trace, {}, set())
        self._seen: set[Hashable] = set()
        # on inputs of other shapes these are not even run once: in the backward pass that would add to
        # gradients which repeated calls have sent
        self._rehearsed: set[Hashable] = set()
        self._repeated: dict[Hashable, Repeated | None] = {}
        self._open = ExitStack()

    def __enter__(self) -> "Repetition":
        for name, module in self._model.named_children():
            module.forward = partial(self._call, name, module.forward)
            self._open.callback(delattr, module, "forward")
        self._open.enter_context(recomputing_by(self._recompute))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.close()
        if error is not None:
            return
        if self._stage.tracker.check is not None:
            self._stage.tracker.check()
        for call in self._stage.open:
            raise MustRun(call.repeated.part.name, "a call takes no part in the backward pass")

    def _recompute(self, part: Callable[..., Tensor], *inputs: Any) -> Tensor:
        run = partial(checkpointed, part)
        # its name is kept, and a function that is not a method might keep tensors
        if isinstance(getattr(part, "__self__", None), nn.Module):
            return self._call(part, run, *inputs)
        return run(*inputs)

    def _call(self, name: Hashable, run: Callable[..., Tensor], *arguments: Any, **keywords: Any) -> Tensor:
        if name in self._excluded or keywords or not self._may_repeat(arguments):
            return run(*arguments, **keywords)
        key = _key(name, arguments)
        if key not in self._seen and name not in self._rehearsed:
            return self._first_call(key, run, arguments)
        if key not in self._repeated:
            self._repeated[key] = self._rehearse(name, run, arguments)
        return (self._repeated[key] or run)(*arguments)

    def _first_call(self, key: Hashable, run: Callable[..., Tensor], arguments: tuple[Any, ...]) -> Tensor:
        self._seen.add(key)
        least = LEAST_EVENTS_WITH_GRAPH if torch.is_grad_enabled() else LEAST_EVENTS
        before = len(self._ledger.events)
        result = run(*arguments)
        if len(self._ledger.events) - before < least:
            self._repeated[key] = None
        return result

    def _may_repeat(self, arguments: tuple[Any, ...]) -> bool:
        inputs = list(tensors_in(arguments))
        return (
            # not within a rehearsal, nor where something else looks after what is saved for the backward pass
            self._stage.tracker.ledger is self._ledger
            and torch._C._autograd._top_saved_tensors_default_hooks(False) is None
            and torch._C._len_torch_function_stack() == (CudaAutocast.outermost() is not None)
            and all(tensor.is_meta for tensor in inputs)
            and all(_is_plain(value) for value in arguments)
            and (not torch.is_grad_enabled() or _stand_alone(inputs))
        )

    def _rehearse(
        self, name: Hashable, run: Callable[..., Tensor], arguments: tuple[Any, ...]
    ) -> Repeated | None:
        """None when the part has to be run."""
        tracker, trace = self._stage.tracker, self._stage.trace
        part = Part(
            name,
            run,
            tuple([_layout(value) for value in arguments]),
            trace.current(),
            CudaAutocast.outermost(),
            tuple([parameter for parameter, _ in CudaAutocast.casts()]),
            torch.is_grad_enabled(),
        )
        try:
            repeated = Repeated(part, rehearse_forward(part, tracker, trace), self._stage)
        except Unrepeatable:
            return None
        self._rehearsed.add(name)
        return repeated


def _key(name: Hashable, arguments: tuple[Any, ...]) -> Hashable:
    """Equal for calls that do the same to memory.

    Under another autocast mode casts of parameters are made anew.
    """
    take_gradients = tuple([tensor.requires_grad for tensor in tensors_in(arguments)])
    with torch._C.DisableTorchFunction():
        shapes = signature(arguments, {})
    return name, shapes, take_gradients, torch.is_grad_enabled(), CudaAutocast.outermost()


def _is_plain(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return all(_is_plain(item) for item in value)
    return value is None or isinstance(value, (Tensor, bool, int, float, str))


def _stand_alone(inputs: list[Tensor]) -> bool:
    """Whether no input is a parameter, no two share a storage, and no backward pass is under way."""
    storages = {tensor.untyped_storage()._cdata for tensor in inputs}
    leaves = any(tensor.requires_grad and tensor.is_leaf for tensor in inputs)
    return len(storages) == len(inputs) and not leaves and torch._C._current_graph_task_id() == -1


def _layout(value: Any) -> Any:
    if isinstance(value, Tensor):
        return Layout.of(value)
    if isinstance(value, (list, tuple)):
        return [_layout(item) for item in value]
    return value
