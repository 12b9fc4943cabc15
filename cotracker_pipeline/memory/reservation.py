"""What the caching allocator makes of a training step: reserved memory, and the least that is enough."""

from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

from cotracker_pipeline.config import Card
from cotracker_pipeline.memory.allocator import UNLIMITED, CachingAllocator, OutOfMemory
from cotracker_pipeline.memory.ledger import GRANULE, Event

#: The smallest limit is found to this part of itself.
RESOLUTION = 0.001

#: The first limit that is tried lies so much above the live bytes: most steps lose no more to fragments, and
#: what fails is found out early in a replay.
FIRST_STEP = 0.02

#: Parts of a trace after which the state of the allocator is kept.
_PARTS = 16


class Reservation(NamedTuple):
    """In bytes, cuBLAS's workspaces included.

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


def reservation(events: Sequence[Event], card: Card) -> Reservation:
    """Replay the ``events`` of a step, twice in a row: the second one meets the fragments of the first."""
    trace = [*library_blocks(card), *two_steps(events)]
    replays = Replays(trace, card.expandable_segments)
    free_run = replays.below(UNLIMITED)
    fails = max(accumulate(size for _, size in trace), default=0) - 1
    runs = free_run.peak_reserved
    step = FIRST_STEP * fails
    while runs - fails > max(1, RESOLUTION * runs):
        limit = min(fails + int(step), (fails + runs) // 2)
        try:
            runs = replays.below(limit).peak_reserved
        except OutOfMemory:
            fails = limit
            step *= 2
    return Reservation(free_run.peak_allocated, free_run.peak_reserved, runs)


def two_steps(events: Sequence[Event]) -> list[tuple[int, int]]:
    """The events of a step and of a second one, as pairs of block and bytes; what outlives a step is
    allocated once, before the first.
    """
    lasting = {block for block, size in events if size > 0} - {block for block, size in events if size < 0}
    before = [(block, size) for block, size in events if block in lasting]
    step = [(block, size) for block, size in events if block not in lasting]
    shift = 1 + max((block for block, _ in events), default=0)
    return [*before, *step, *[(block + shift, size) for block, size in step]]


def library_blocks(card: Card) -> list[tuple[int, int]]:
    """What cuBLAS keeps inside of the allocator, as pairs of block and bytes."""
    return [(-1, -(-card.cublas_bytes // GRANULE) * GRANULE)] if card.cublas_bytes else []


class Replays:
    """A trace, replayed below several limits without repeating what they have in common.

    A limit acts only where it is compared with what would be reserved. As long as all comparisons turn out
    the same, so do the states of the allocator: a replay begins at the last state of earlier ones for which
    they do.
    """

    def __init__(self, trace: Sequence[tuple[int, int]], expandable: bool = False) -> None:
        self._trace = trace
        self._part = 1 + len(trace) // _PARTS
        self._states = [(0, CachingAllocator(expandable=expandable))]

    def below(self, limit: int) -> CachingAllocator:
        """The final state below ``limit``. Raises ``OutOfMemory``."""
        done, state = max(
            ((done, state) for done, state in self._states if state.peak_reserved <= limit < state.refused),
            key=lambda known: known[0],
        )
        allocator = state.copy()
        allocator.limit = limit
        for start in range(done, len(self._trace), self._part):
            allocator.replay(self._trace[start : start + self._part])
            self._states.append((start + self._part, allocator.copy()))
        return allocator
