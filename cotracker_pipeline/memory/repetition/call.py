"""Calls that are not run: what a rehearsal did to memory is entered into the ledger instead."""

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.graph import Node, get_gradient_edge

from cotracker_pipeline.memory.ledger import Block
from cotracker_pipeline.memory.modules import ModuleTrace
from cotracker_pipeline.memory.repetition.part import (
    Backward,
    Forward,
    Layout,
    MustRun,
    Part,
    Product,
    State,
    Unrepeatable,
    Waiting,
)
from cotracker_pipeline.memory.repetition.rehearsal import GRADIENT, OUTPUT, rehearse_backward
from cotracker_pipeline.memory.repetition.trial import anchor, argument_guest, cached_casts, cast_guest
from cotracker_pipeline.memory.tracker import MemoryTracker, TrackedStorage
from cotracker_pipeline.models.nested import tensors_in

#: Where a gradient flows to: an autograd node, and which of its outputs.
Edge = tuple[Node, int]


class Sent(NamedTuple):
    """A gradient that calls have sent to an edge, where it waits."""

    storage: TrackedStorage
    layout: Layout

    @property
    def waiting(self) -> Waiting:
        """As a part of the state."""
        return Waiting(self.layout, self.storage.block.component)


class Stage(NamedTuple):
    """What the calls of a step share.

    Attributes:
        tracker: of the step.
        trace: of the model.
        sent: the gradients that wait.
        open: calls whose backward pass is still to come.
    """

    tracker: MemoryTracker
    trace: ModuleTrace
    sent: dict[Edge, Sent]
    open: set["Call"]


class Repeated:
    """A part that has been rehearsed.

    Attributes:
        part, forward: the part, and what its forward pass does.
    """

    def __init__(self, part: Part, forward: Forward, stage: Stage) -> None:
        self.part = part
        self.forward = forward
        self._stage = stage
        self._backwards: dict[State, Backward] = {}
        with stage.tracker.hidden():
            # not the casts, which must not be kept, but their nodes
            outer = [*forward.parameters, *cached_casts(forward.casts)]
            self._outer_edges = [_edge_of(tensor) for tensor in outer]

    def __call__(self, *arguments: Any) -> Tensor:
        """What the part returns for ``arguments``, which look like those that it was rehearsed with."""
        inputs = list(tensors_in(arguments))
        sources = [tensor for tensor in inputs if tensor.requires_grad]
        casts = cached_casts(self.forward.casts)
        held = self._hold(inputs, casts)
        call = Call(self, self._stage, [*map(_edge_of, sources), *self._outer_edges], held)
        if not self.forward.output.layout.requires_grad:
            return call.forward()
        self._stage.open.add(call)
        return _Replay.apply(call, anchor(), *sources, *self.forward.parameters, *casts)

    def backward(self, state: State) -> Backward:
        """What the backward pass does in ``state``. Raises ``Unrepeatable``."""
        if state not in self._backwards:
            tracker, trace = self._stage.tracker, self._stage.trace
            self._backwards[state] = rehearse_backward(self.part, self.forward, state, tracker, trace)
        return self._backwards[state]

    def _hold(self, inputs: list[Tensor], casts: list[Tensor]) -> dict[str, Tensor]:
        """Aliases of what the graph of a call would hold on to, by the names of the guests."""
        guests = {argument_guest(index): tensor for index, tensor in enumerate(inputs)}
        guests |= {cast_guest(index): cast for index, cast in enumerate(casts)}
        with self._stage.tracker.hidden():
            return {name: guests[name].detach() for name in self.forward.held if name != OUTPUT}


class Call:
    """One call.

    Args:
        repeated: the part.
        stage: the step.
        edges: where its gradients flow to.
        held: what its graph would hold on to.
    """

    def __init__(
        self, repeated: Repeated, stage: Stage, edges: Sequence[Edge], held: dict[str, Tensor]
    ) -> None:
        self.repeated = repeated
        self._stage = stage
        self._tracker = stage.tracker
        self._edges = edges
        self._held = held
        self._numbers: dict[int, int] = {}
        self._calls: dict[int, int] = {}

    def forward(self) -> Tensor:
        """The output."""
        forward, trace = self.repeated.forward, self._stage.trace
        # the call around it, in which the rehearsal was
        self._calls[forward.calls.start - 1] = trace.current_call()
        trace.repeat(forward.calls, self._calls)
        forward.recording.enter(self._tracker.ledger, self._numbers, self._calls)
        output, _ = self._make(forward.output, self._numbers)
        if OUTPUT in forward.held:
            with self._tracker.hidden():
                self._held[OUTPUT] = output.detach()
        return output

    def backward(self, gradient: Tensor) -> list[Tensor | None]:
        """The gradients at the edges, None where one has been added to what waits there.

        Raises:
            Unrepeatable: when the backward pass cannot be rehearsed.
        """
        sent = [self._stage.sent.get(edge) for edge in self._edges]
        if any(there is not None and there.storage() is None for there in sent):
            raise Unrepeatable("others have added to a gradient")
        waiting = tuple([None if there is None else there.waiting for there in sent])
        backward = self.repeated.backward(State(Layout.of(gradient), waiting))
        numbers = self._numbers_in(backward, sent)
        self._enter(backward, numbers, gradient)
        self._stage.open.remove(self)
        return [
            self._send(edge, product, numbers)
            for edge, product in zip(self._edges, backward.after, strict=True)
        ]

    def _numbers_in(self, backward: Backward, sent: list[Sent | None]) -> dict[int, int]:
        """Blocks of the rehearsal to blocks of the step."""
        left = self.repeated.forward.recording.left
        numbers = {there: self._numbers[here] for there, here in zip(backward.saved, left, strict=True)}
        for number, there in zip(backward.before, sent, strict=True):
            if number is not None and there is not None:
                numbers[number] = there.storage.block.number
        return numbers

    def _calls_in(self, backward: Backward) -> dict[int, int]:
        """Calls of the rehearsal to calls of the step."""
        shift = self.repeated.forward.calls.start - backward.calls.start
        calls = {number - shift: place for number, place in self._calls.items()}
        self._stage.trace.repeat(backward.recomputed, calls)
        return calls

    def _enter(self, backward: Backward, numbers: dict[int, int], gradient: Tensor) -> None:
        abandoned = None
        calls = self._calls_in(backward)
        for recording, guest in backward.scenes:
            recording.enter(self._tracker.ledger, numbers, calls)
            if guest == GRADIENT:
                if not _is_part_of_larger(gradient):
                    # Python holds on to it a little longer
                    abandoned = self._tracker.abandon(gradient)
            elif self._held.pop(guest, None) is None:
                raise Unrepeatable("the graph holds on to something else than it did")
        backward.last.enter(self._tracker.ledger, numbers, calls)
        node = torch._C._current_autograd_node()
        self._tracker.check = partial(_check, self.repeated.part, node, abandoned)

    def _send(self, edge: Edge, product: Product, numbers: dict[int, int]) -> Tensor | None:
        """The gradient, if it is the first one there; else it takes the place of the one that waits."""
        there = self._stage.sent.get(edge)
        if there is not None:
            there.storage.block = _block(product, numbers)
            return None
        tensor, storage = self._make(product, numbers)
        self._stage.sent[edge] = Sent(storage, product.layout)
        return tensor

    def _make(self, product: Product, numbers: dict[int, int]) -> tuple[Tensor, TrackedStorage]:
        with self._tracker.hidden():
            tensor = product.layout.empty()
        return tensor, self._tracker.adopt(tensor, _block(product, numbers))


def _is_part_of_larger(gradient: Tensor) -> bool:
    """Whether others hold on to other parts of the storage: it does not end with the gradient."""
    storage = gradient.untyped_storage()
    # one for the tensor, one for the storage's own object in Python
    others = torch._C._storage_Use_Count(storage._cdata) - 2
    return others > 0 and storage.nbytes() > gradient.numel() * gradient.element_size()


def _edge_of(tensor: Tensor) -> Edge:
    edge = get_gradient_edge(tensor)
    return edge.node, edge.output_nr


def _block(product: Product, numbers: dict[int, int]) -> Block:
    return Block(product.bytes, product.component, numbers[product.number])


def _check(part: Part, node: Node, gradient: TrackedStorage | None) -> None:
    """What the backward pass of a call took for granted, as soon as something else happens."""
    following = torch._C._current_autograd_node()
    if following is node:
        raise MustRun(part.name, "a gradient is added to one that others have sent")
    if gradient is not None and gradient() is not None:
        raise MustRun(part.name, "others hold on to the gradient of the output")
    # it goes on as soon as the last one has come, which would be in the midst of the call
    if hasattr(following, "variable"):
        raise MustRun(part.name, "no others send a gradient to a parameter")


class _Replay(torch.autograd.Function):
    """A call as a node of the graph."""

    @staticmethod
    def forward(ctx: Any, call: Call, _anchor: Tensor, *_edges: Tensor) -> Tensor:
        ctx.call = call
        ctx.set_materialize_grads(False)
        return call.forward()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor | None) -> Any:
        call: Call = ctx.call
        try:
            if gradient is None:
                raise Unrepeatable("the output has no gradient")
            return None, None, *call.backward(gradient)
        except Unrepeatable as reason:
            raise MustRun(call.repeated.part.name, str(reason)) from reason
