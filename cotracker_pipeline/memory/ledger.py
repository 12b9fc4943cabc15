"""The account of live bytes: what is allocated and released, and the moment of the most."""

from collections import Counter
from typing import NamedTuple

#: The CUDA caching allocator hands out multiples of this many bytes.
GRANULE = 512


class Event(NamedTuple):
    """One allocation (bytes > 0) or the end of it (bytes < 0); ``block`` names the allocation."""

    block: int
    bytes: int


class Note(NamedTuple):
    """What a block belonged to when it was allocated: a component, and the number of a call of a module."""

    component: str
    call: int


class Relabelling(NamedTuple):
    """A block counts under another component from the event at ``position`` on."""

    position: int
    block: int
    component: str


class Phase(NamedTuple):
    """The events from ``start`` up to, not including, ``end``."""

    name: str
    start: int
    end: int


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


class Block:
    """A live allocation."""

    __slots__ = ("bytes", "component", "number")

    def __init__(self, size: int, component: str, number: int) -> None:
        self.bytes = size
        self.component = component
        self.number = number


class Ledger:
    """Live bytes, in all and by component.

    Attributes:
        live_bytes: allocated and not released.
        by_component: the same by component; zeros included.
        peak: the most so far, as ``note_peak`` saw it.
        events: everything that happened, in order; a block has the number of its first event.
        notes: by block.
        relabellings: in the order of their positions.
        phases: those that have ended, in order.
        flops: floating-point operations.
    """

    def __init__(self) -> None:
        self.live_bytes = 0
        self.by_component: Counter[str] = Counter()
        self.peak = Peak(0, {}, "", "", "")
        self.events: list[Event] = []
        self.notes: dict[int, Note] = {}
        self.relabellings: list[Relabelling] = []
        self.phases: list[Phase] = []
        self.flops = 0

    def allocate(self, size: int, component: str, call: int) -> Block:
        """Count ``size`` bytes under ``component``, for a call of a module."""
        block = Block(size, component, len(self.events))
        self.notes[block.number] = Note(component, call)
        self.live_bytes += size
        self.by_component[component] += size
        self.events.append(Event(block.number, size))
        return block

    def release(self, block: Block) -> None:
        """The end of a block."""
        self.live_bytes -= block.bytes
        self.by_component[block.component] -= block.bytes
        self.events.append(Event(block.number, -block.bytes))

    def relabel(self, block: Block, component: str) -> None:
        """Count a live block under another component."""
        self.by_component[block.component] -= block.bytes
        self.by_component[component] += block.bytes
        block.component = component
        self.relabellings.append(Relabelling(len(self.events), block.number, component))

    def note_peak(self, phase: str, module: str, operation: str) -> None:
        """Say that the live bytes are the most so far, and where this is."""
        breakdown = {name: size for name, size in self.by_component.items() if size}
        self.peak = Peak(self.live_bytes, breakdown, phase, module, operation)
