"""Live bytes over a training step, by component, thinned out to what a figure can show."""

from collections import deque
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cotracker_pipeline.memory.ledger import Ledger, Phase

#: Stretches that a step is divided into; of each the highest moment is kept.
STRETCHES = 390


class Moments(NamedTuple):
    """Live bytes after 0, 1, 2 … events: a name a column of ``bytes`` (events + 1, components), int64."""

    components: tuple[str, ...]
    bytes: NDArray[np.int64]


class Timeline(NamedTuple):
    """Moments of a step, from the beginning of its first phase to the end of its last one.

    Each is a moment that really was, with all of its bytes; the peak of the step is one of them.

    Attributes:
        positions: events (allocations and releases) before each moment.
        components: component to bytes at each moment.
        phases: in the same count of events.
    """

    positions: tuple[int, ...]
    components: dict[str, tuple[int, ...]]
    phases: tuple[Phase, ...]

    @property
    def totals(self) -> tuple[int, ...]:
        """All bytes at each moment."""
        return tuple(map(sum, zip(*self.components.values(), strict=True)))

    @property
    def peak_position(self) -> int:
        """Events before the first moment of most live bytes."""
        totals = self.totals
        return self.positions[totals.index(max(totals))]


def timeline(ledger: Ledger, stretches: int = STRETCHES) -> Timeline:
    """The highest moments of ``stretches`` equal stretches of a step, its first and its last moment.

    Stretches end where a phase does, which adds a moment a phase at most.
    """
    moments = all_moments(ledger)
    phases = ledger.phases
    first, last = phases[0].start, phases[-1].end
    borders = {
        *np.linspace(first, last, stretches + 1).astype(int).tolist(),
        *(phase.end for phase in phases),
    }
    highest = highest_moments(moments.bytes.sum(axis=1), sorted(borders))
    chosen = sorted({first, *highest, last})
    live = moments.bytes[chosen]
    return Timeline(
        tuple([moment - first for moment in chosen]),
        {
            name: tuple(column.tolist())
            for name, column in zip(moments.components, live.T, strict=True)
            if column.any()
        },
        tuple([Phase(name, start - first, end - first) for name, start, end in phases]),
    )


def highest_moments(totals: NDArray[np.int64], borders: Sequence[int]) -> list[int]:
    """For each pair of neighbouring ``borders`` the first index of the largest total after the lower border,
    up to and including the upper one.
    """
    return [low + 1 + int(totals[low + 1 : high + 1].argmax()) for low, high in pairwise(borders)]


def all_moments(ledger: Ledger) -> Moments:
    """Live bytes by component after every event; a block that changes its component does so with the next."""
    sizes = {event.block: event.bytes for event in ledger.events if event.bytes > 0}
    component_of = {block: note.component for block, note in ledger.notes.items()}
    names = dict.fromkeys([*component_of.values(), *(change.component for change in ledger.relabellings)])
    column = {name: index for index, name in enumerate(names)}
    changes = np.zeros((len(ledger.events) + 1, len(column)), np.int64)
    waiting = deque(ledger.relabellings)
    for position, (block, size) in enumerate(ledger.events):
        row = changes[position + 1]
        while waiting and waiting[0].position <= position:
            _, moved, component = waiting.popleft()
            row[column[component_of[moved]]] -= sizes[moved]
            row[column[component]] += sizes[moved]
            component_of[moved] = component
        row[column[component_of[block]]] += size
    return Moments(tuple(column), changes.cumsum(axis=0))
