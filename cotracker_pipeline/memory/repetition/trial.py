"""Calling a part of a model on inputs of its own, aside from what is tracked."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.graph import Node, get_gradient_edge

from cotracker_pipeline.memory.modules import ModuleTrace
from cotracker_pipeline.memory.repetition.part import Layout, Part, Product, Unrepeatable
from cotracker_pipeline.memory.repetition.script import Recording, Script
from cotracker_pipeline.memory.tracker import MemoryTracker
from cotracker_pipeline.models.cuda_autocast import CudaAutocast
from cotracker_pipeline.models.nested import tensors_in


class Trial(NamedTuple):
    """A finished call.

    Attributes:
        recording: what it did to memory.
        calls: numbers of the calls of modules that it made.
        output: one tensor, which it returned; empty the list to let it go.
        parameters, casts: where its gradients flow to beside its inputs, as in ``Forward``.
    """

    recording: Recording
    calls: range
    output: list[Tensor]
    parameters: tuple[Tensor, ...]
    casts: tuple[Tensor, ...]


def argument_guest(index: int) -> str:
    """The name of an input as a guest of the script."""
    return f"argument {index}"


def cast_guest(index: int) -> str:
    """The name of a parameter's cast as a guest of the script."""
    return f"cast {index}"


def try_out(
    part: Part,
    tracker: MemoryTracker,
    trace: ModuleTrace,
    script: Script,
    prelude: Callable[[list[Tensor]], None],
) -> Trial:
    """Call ``part`` on inputs that are guests of ``script``, as are the casts of parameters that it meets.

    Args:
        part: what is called.
        tracker, trace: of the step.
        script: what the tracker counts in.
        prelude: called before, with the inputs that take a gradient.

    Raises:
        Unrepeatable: when an input ends during the call, a parameter is cast for the first time, or gradients
            flow to somewhere unknown.
    """
    with _surroundings(part, trace):
        inputs = _stand_ins(part.arguments)
        invite(tracker, script, tensors_in(inputs), argument_guest)
        sources = [tensor for tensor in tensors_in(inputs) if tensor.requires_grad]
        prelude(sources)
        first_node, first_call = torch.autograd._get_sequence_nr(), len(trace.calls)
        cast_before = len(CudaAutocast.casts())
        script.begin()
        output = part.run(*inputs)
        recording, calls = script.end(), range(first_call, len(trace.calls))
        if len(CudaAutocast.casts()) > cast_before:
            raise Unrepeatable("autocast keeps what it casts for the first time until its end")
        if script.scenes:
            raise Unrepeatable("an input ends during the call")
        known = [get_gradient_edge(tensor).node for tensor in sources]
        parameters, others = _leaves(output.grad_fn, first_node, known)
        casts = _casts(others)
        invite(tracker, script, casts.values(), cast_guest)
        return Trial(recording, calls, [output], parameters, tuple(casts))


def cached_casts(parameters: Sequence[Tensor]) -> list[Tensor]:
    """What autocast has cast ``parameters`` to. Raises ``Unrepeatable`` when it has not."""
    known = {id(parameter): cast for parameter, cast in CudaAutocast.casts()}
    if any(id(parameter) not in known for parameter in parameters):
        raise Unrepeatable("a parameter has not been cast yet")
    return [known[id(parameter)] for parameter in parameters]


def product_of(tensor: Tensor, tracker: MemoryTracker) -> Product:
    """``tensor`` as something made by a rehearsal. Raises ``Unrepeatable`` when it is a part of a storage."""
    layout = Layout.of(tensor)
    storage = tracker.storage_of(tensor)
    with tracker.hidden():
        whole = layout.empty().untyped_storage().nbytes() == tensor.untyped_storage().nbytes()
    if storage is None or not whole:
        raise Unrepeatable("a result is a part of something larger")
    return Product(layout, storage.block.number, storage.block.bytes, storage.block.component)


def invite(
    tracker: MemoryTracker, script: Script, tensors: Iterable[Tensor], name: Callable[[int], str]
) -> None:
    """Make the storages of ``tensors`` guests of ``script``, named after their places."""
    for index, tensor in enumerate(tensors):
        storage = tracker.storage_of(tensor)
        if storage is not None:
            script.invite(storage.block, name(index))


def anchor() -> Tensor:
    """A leaf that takes no memory and makes whatever is computed from it take a gradient."""
    return torch.empty(0, device="meta", requires_grad=True)


def _stand_ins(arguments: Iterable[Any]) -> list[Any]:
    """Inputs that look like ``arguments``; those that take a gradient have an autograd node of their own."""
    return [_stand_in(value) for value in arguments]


def _stand_in(value: Any) -> Any:
    if isinstance(value, Layout):
        return _Source.apply(value, anchor()) if value.requires_grad else value.empty()
    if isinstance(value, (list, tuple)):
        return _stand_ins(value)
    return value


class _Source(torch.autograd.Function):
    """Makes a tensor of a layout."""

    @staticmethod
    def forward(_ctx: Any, layout: Layout, _anchor: Tensor) -> Tensor:
        return layout.empty()

    @staticmethod
    def backward(_ctx: Any, *_gradients: Any) -> Any:
        return None, None


@contextmanager
def _surroundings(part: Part, trace: ModuleTrace) -> Iterator[None]:
    with torch.set_grad_enabled(part.has_graph), trace.inside(part.place):
        if part.autocast is None or not part.has_graph:
            # without a graph it is rehearsed where it is called
            yield
            return
        with CudaAutocast.without_casts(), part.autocast:
            # autocast keeps them, so that only the first of several calls makes them
            for parameter in part.casts:
                part.autocast.cast(parameter)
            yield


def _leaves(root: Node | None, first_node: int, sources: list[Node]) -> tuple[tuple[Tensor, ...], list[Node]]:
    """Where the gradients of the graph at ``root`` flow to beside ``sources``: parameters, and nodes made
    before ``first_node``.
    """
    seen = set(sources)
    waiting = [] if root is None else [root]
    parameters: list[Tensor] = []
    others: list[Node] = []
    while waiting:
        for node, _ in waiting.pop().next_functions:
            if node is None or node in seen:
                continue
            seen.add(node)
            if hasattr(node, "variable"):
                parameters.append(node.variable)
            elif node._sequence_nr() < first_node:
                others.append(node)
            else:
                waiting.append(node)
    return tuple(parameters), others


def _casts(nodes: list[Node]) -> dict[Tensor, Tensor]:
    """The parameters whose casts ``nodes`` made, and the casts. Raises ``Unrepeatable`` for other nodes."""
    known = {cast.grad_fn: (parameter, cast) for parameter, cast in CudaAutocast.casts()}
    if not known.keys() >= set(nodes):
        raise Unrepeatable("the graph goes on outside of the call")
    return dict(known[node] for node in nodes)
