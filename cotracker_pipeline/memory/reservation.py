"""What the caching allocator makes of a training step: reserved memory, and the least that is enough."""

from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

from cotracker_pipeline.memory.allocator import CachingAllocator, OutOfMemory
from cotracker_pipeline.memory.ledger import Event

#: The smallest limit is found to this part of itself.
RESOLUTION = 0.001


class Reservation(NamedTuple):
    """In bytes.

    Attributes:
        peak_blocks: most bytes of blocks in use, rests that are too small to be split off included; this is
            what ``torch.cuda.max_memory_allocated`` reports.
        peak: most bytes reserved when nothing limits them.
        smallest: a limit below which the step runs again and again, no more than a thousandth above the least
            that the bisection could find.
    """

    peak_blocks: int
    peak: int
    smallest: int


def reservation(events: Sequence[Event]) -> Reservation:
    """Replay the ``events`` of a step, twice in a row: the second one meets the fragments of the first."""
    events = two_steps(events)
    free_run = CachingAllocator().replay(events)
    fails = max(accumulate(event.bytes for event in events), default=0) - 1
    runs = free_run.peak_reserved
    while runs - fails > max(1, RESOLUTION * runs):
        middle = (fails + runs) // 2
        smaller = _reserved_below(middle, events)
        if smaller is None:
            fails = middle
        else:
            runs = smaller
    return Reservation(free_run.peak_allocated, free_run.peak_reserved, runs)


def two_steps(events: Sequence[Event]) -> list[Event]:
    """The events of a step and of a second one; what outlives a step is allocated once, before the first."""
    lasting = {event.block for event in events if event.bytes > 0}
    lasting -= {event.block for event in events if event.bytes < 0}
    before = [event for event in events if event.block in lasting]
    step = [event for event in events if event.block not in lasting]
    shift = 1 + max((event.block for event in events), default=0)
    return [*before, *step, *(Event(event.block + shift, event.bytes) for event in step)]


def _reserved_below(limit: int, events: Sequence[Event]) -> int | None:
    """Bytes reserved at most when ``limit`` may be; None when that is too little."""
    try:
        return CachingAllocator(limit).replay(events).peak_reserved
    except OutOfMemory:
        return None
