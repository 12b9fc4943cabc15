"""A part of a model, called on inputs of certain shapes, and what there is to know about such a call."""

from collections.abc import Callable, Hashable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from cotracker_pipeline.memory.repetition.script import Recording
from cotracker_pipeline.models.cuda_autocast import CudaAutocast

_META = torch.device("meta")


class Unrepeatable(Exception):
    """A rehearsal shows that a call is not the same each time, or not for itself."""


class MustRun(Exception):
    """A part was repeated that cannot be: what has been tracked is not exact.

    Attributes:
        part: the name of the part.
    """

    def __init__(self, part: Hashable, reason: str) -> None:
        super().__init__(reason)
        self.part = part


class Layout(NamedTuple):
    """What a tensor looks like."""

    size: tuple[int, ...]
    stride: tuple[int, ...]
    dtype: torch.dtype
    requires_grad: bool = False

    @classmethod
    def of(cls, tensor: Tensor) -> "Layout":
        """The layout of ``tensor``."""
        return cls(tuple(tensor.shape), tensor.stride(), tensor.dtype, tensor.requires_grad)

    def empty(self) -> Tensor:
        """Such a tensor on meta, with a storage of its own and without a gradient."""
        return torch.empty_strided(self.size, self.stride, dtype=self.dtype, device=_META)


class Part(NamedTuple):
    """A part and the inputs that it is called on.

    Attributes:
        name: tells it from other parts.
        run: calls it; returns one tensor.
        arguments: a ``Layout`` for each tensor, lists of them, or other values.
        place: dotted path of the module that computes when it begins.
        autocast: the mode that it runs under.
        casts: parameters that the mode had cast before.
        has_graph: whether gradients are recorded.
    """

    name: Hashable
    run: Callable[..., Tensor]
    arguments: tuple[Any, ...]
    place: str
    autocast: CudaAutocast | None
    casts: tuple[Tensor, ...]
    has_graph: bool


class Product(NamedTuple):
    """A tensor that a rehearsal made: its layout, and the block that is its storage."""

    layout: Layout
    number: int
    bytes: int
    component: str


class Forward(NamedTuple):
    """What the forward pass of a part does.

    Gradients flow out of a graph at its *edges*: inputs that take a gradient, then parameters, then the casts
    of parameters that autocast made in an earlier call and all calls share.

    Attributes:
        recording: what it does to memory.
        calls: numbers of the calls of modules that it makes.
        output: what it returns.
        held: names of the guests that its graph holds on to.
        parameters: those that are edges themselves.
        casts: those of which a cast is an edge.
    """

    recording: Recording
    calls: range
    output: Product
    held: frozenset[str]
    parameters: tuple[Tensor, ...]
    casts: tuple[Tensor, ...]


class Waiting(NamedTuple):
    """A gradient that waits at an edge for others to be added to it."""

    layout: Layout
    component: str


class State(NamedTuple):
    """What the backward pass of a call depends on, beside the call.

    Attributes:
        gradient: layout of the gradient of the output.
        waiting: the gradient at each edge, None where there is none yet.
    """

    gradient: Layout
    waiting: tuple[Waiting | None, ...]


class Backward(NamedTuple):
    """What the backward pass of a part does in a certain state.

    Attributes:
        scenes: what it does to memory up to the end of a guest, and the guest.
        last: what follows.
        calls: numbers of the calls that the forward pass makes.
        recomputed: numbers of the calls that are made in the backward pass.
        saved: numbers of the blocks that the forward pass left, in its order.
        before: numbers of the blocks of the gradients that waited at the edges, None where there were none.
        after: the gradients that wait there in the end.
    """

    scenes: tuple[tuple[Recording, str], ...]
    last: Recording
    calls: range
    recomputed: range
    saved: tuple[int, ...]
    before: tuple[int | None, ...]
    after: tuple[Product, ...]
