"""Rehearsals: what a part of a model does to memory, forward and backward, found out on inputs of its own."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import get_gradient_edge
from torch.utils.hooks import RemovableHandle

from cotracker_pipeline.memory.modules import ModuleTrace
from cotracker_pipeline.memory.repetition.part import (
    Backward,
    Forward,
    Part,
    Product,
    State,
    Unrepeatable,
    Waiting,
)
from cotracker_pipeline.memory.repetition.script import Recording, Script
from cotracker_pipeline.memory.repetition.trial import anchor, cached_casts, invite, product_of, try_out
from cotracker_pipeline.memory.tracker import MemoryTracker

#: Names of guests of the script.
OUTPUT = "output"
GRADIENT = "gradient"


def rehearse_forward(part: Part, tracker: MemoryTracker, trace: ModuleTrace) -> Forward:
    """Rehearse the forward pass. Raises ``Unrepeatable``."""
    script = Script()
    with tracker.aside(script):
        trial = try_out(part, tracker, trace, script, lambda _: None)
        output = product_of(trial.output[0], tracker)
        if output.number not in trial.recording.left:
            raise Unrepeatable("the output is an input")
        invite(tracker, script, trial.output, lambda _: OUTPUT)
        graph = trial.output[0].grad_fn
        trial.output.clear()
        # nothing but the graph holds on to anything now
        held = frozenset(script.guests.values())
        del graph
    if script.alive or script.guests:
        raise Unrepeatable("something outlives the call and its graph")
    return Forward(trial.recording, trial.calls, output, held, trial.parameters, trial.casts)


def rehearse_backward(
    part: Part, forward: Forward, state: State, tracker: MemoryTracker, trace: ModuleTrace
) -> Backward:
    """Rehearse the backward pass in ``state``. Raises ``Unrepeatable``."""
    script = Script()
    with tracker.aside(script), _gradients_kept([*forward.parameters, *forward.casts]):
        act = _Act(forward, state, tracker, script)
        trial = try_out(part, tracker, trace, script, act.prepare)
        if not trial.recording.same_as(forward.recording):
            raise Unrepeatable("two calls of the same shapes differ")
        invite(tracker, script, trial.output, lambda _: OUTPUT)
        act.run(trial.output)
        recomputed = range(trial.calls.stop, len(trace.calls))
        return act.outcome(trial.recording.left, trial.calls, recomputed)


class _Act:
    """A backward pass, from the gradient of the output to the gradients at the edges.

    Nodes run in the order opposite to the one in which they were made. So one that is made before the part
    (``_Ending``) and one that is made after it (``_Beginning``) see exactly what happens in between.
    """

    def __init__(self, forward: Forward, state: State, tracker: MemoryTracker, script: Script) -> None:
        self._forward = forward
        self._state = state
        self._tracker = tracker
        self._script = script
        self._edges: list[Tensor] = []
        self._ending: list[Tensor] = []
        self._start = 0
        self._last: Recording | None = None
        self._left: set[int] = set()
        self._before: tuple[int | None, ...] = ()
        self._after: list[Product | None] = [None] * len(state.waiting)

    def prepare(self, sources: list[Tensor]) -> None:
        """Before the forward pass: find the edges, and make the end."""
        self._edges = [*sources, *self._forward.parameters, *cached_casts(self._forward.casts)]
        # a gradient goes on to its parameter as soon as all have come; here as elsewhere, others are to come
        self._ending = [_Ending.apply(self._end, anchor(), *self._forward.parameters)]

    def run(self, output: list[Tensor]) -> None:
        """After the forward pass: let ``output`` go and run back from it."""
        hooks = self._watch()
        try:
            with torch.enable_grad():
                loss = _Beginning.apply(self._begin, *output, *self._ending, *self._occupied())
            for tensors in (output, self._edges, self._ending):
                tensors.clear()
            loss.backward()
        finally:
            for hook in hooks:
                hook.remove()

    def outcome(self, saved: tuple[int, ...], calls: range, recomputed: range) -> Backward:
        """What happened, given the blocks ``saved`` by the forward pass and the calls of modules.

        Raises:
            Unrepeatable: when not all of it is known.
        """
        after = tuple([product for product in self._after if product is not None])
        left = {number for number in self._left if number >= self._start or number in saved}
        if self._last is None or left != {product.number for product in after}:
            raise Unrepeatable("the backward pass leaves something beside gradients")
        if not all(map(_fits, self._after, self._state.waiting)):
            raise Unrepeatable("a gradient is missing or has changed its layout")
        scenes = tuple(self._script.scenes)
        return Backward(scenes, self._last, calls, recomputed, saved, self._before, after)

    def _watch(self) -> list[RemovableHandle]:
        """See what arrives at the edges."""
        nodes = [get_gradient_edge(edge).node for edge in self._edges]
        return [node.register_prehook(partial(self._arrive, index)) for index, node in enumerate(nodes)]

    def _occupied(self) -> list[Tensor]:
        """The edges where a gradient waits."""
        waiting = self._state.waiting
        return [edge for edge, there in zip(self._edges, waiting, strict=True) if there is not None]

    def _begin(self) -> list[Tensor | None]:
        """The gradients of the output, of the end and of the edges where one waits."""
        gradient = self._state.gradient.empty()
        invite(self._tracker, self._script, [gradient], lambda _: GRADIENT)
        there = [None if waiting is None else self._let_wait(waiting) for waiting in self._state.waiting]
        self._before = tuple(
            [None if tensor is None else product_of(tensor, self._tracker).number for tensor in there]
        )
        self._start = self._script.begin()
        return [gradient, None, *[tensor for tensor in there if tensor is not None]]

    def _let_wait(self, waiting: Waiting) -> Tensor:
        tensor = waiting.layout.empty()
        self._tracker.register(waiting.component, [tensor])
        return tensor

    def _end(self) -> None:
        self._last = self._script.end()
        self._left = set(self._script.alive)
        if self._script.guests:
            raise Unrepeatable("something is held on to after the backward pass")

    def _arrive(self, index: int, gradients: Sequence[Tensor | None]) -> None:
        if gradients[0] is not None:
            self._after[index] = product_of(gradients[0], self._tracker)


def _fits(product: Product | None, waiting: Waiting | None) -> bool:
    if product is None or waiting is None:
        return product is not None
    return (product.layout, product.component) == waiting


@contextmanager
def _gradients_kept(parameters: Sequence[Tensor]) -> Iterator[None]:
    """Let the parameters have no gradients inside, and those of before afterwards."""
    before = [parameter.grad for parameter in parameters]
    for parameter in parameters:
        parameter.grad = None
    try:
        yield
    finally:
        for parameter, gradient in zip(parameters, before, strict=True):
            parameter.grad = gradient


class _Ending(torch.autograd.Function):
    """Is made before a part: ends its backward pass."""

    @staticmethod
    def forward(ctx: Any, end: Callable[[], None], *parameters: Tensor) -> Tensor:
        ctx.end, ctx.count = end, len(parameters)
        ctx.set_materialize_grads(False)
        return torch.empty((), device="meta")

    @staticmethod
    def backward(ctx: Any, *_gradients: Any) -> Any:
        ctx.end()
        return (None,) * (1 + ctx.count)


class _Beginning(torch.autograd.Function):
    """Is made after a part: begins its backward pass."""

    @staticmethod
    def forward(ctx: Any, begin: Callable[[], list[Tensor | None]], *_tensors: Tensor) -> Tensor:
        ctx.begin = begin
        return torch.empty((), device="meta")

    @staticmethod
    def backward(ctx: Any, *_gradients: Any) -> Any:
        return None, *ctx.begin()
