"""How a pool of the caching allocator gets memory from the driver, and gives it back."""

from bisect import bisect_left
from typing import Protocol, Self

from cotracker_pipeline.memory.free_blocks import FreeBlocks
from cotracker_pipeline.memory.ledger import GRANULE

MIB = 1 << 20
SMALL = MIB
SMALL_SEGMENT = 2 * MIB
MEDIUM = 10 * MIB
MEDIUM_SEGMENT = 20 * MIB
LARGE_STEP = 2 * MIB

#: Between segments, so that blocks of two segments are never neighbours.
_GAP = 512


class Pool(Protocol):
    """Blocks for requests of one kind."""

    def take(self, request: int) -> tuple[int, int] | None:
        """Start and size of a free block, None when none is large enough."""

    def need(self, request: int) -> int:
        """Bytes that ``grow`` would reserve."""

    def grow(self, request: int) -> tuple[int, int]:
        """Start and size of a block in newly reserved memory."""

    def give(self, start: int, size: int) -> None:
        """Free a block."""

    def drop_free(self) -> int:
        """Give back what can be given back; its bytes."""

    def copy(self) -> Self:
        """The same state, independent of this one."""


class FixedSegments(FreeBlocks):
    """The default: each segment is asked for once, and can be given back only as a whole."""

    def __init__(self, start: int, smallest_rest: int) -> None:
        super().__init__(smallest_rest)
        self._next_start = start
        self._segments: dict[int, int] = {}

    def copy(self) -> Self:
        other = super().copy()
        other._next_start = self._next_start
        other._segments = self._segments.copy()
        return other

    def need(self, request: int) -> int:
        return segment_size(request)

    def grow(self, request: int) -> tuple[int, int]:
        start, size = self._next_start, segment_size(request)
        self._next_start += size + _GAP
        self._segments[start] = size
        return start, self._cut(start, size, request)

    def drop_free(self) -> int:
        whole = [start for start, size in self._segments.items() if self._sizes_by_start.get(start) == size]
        for start in whole:
            self._remove(start)
        return sum(self._segments.pop(start) for start in whole)


class ExpandableSegments(FreeBlocks):
    """``expandable_segments:True``: one range of addresses, backed by pages only where it is used.

    What is reserved grows and shrinks by pages, so that free blocks of one size make room for any other.
    Every rest is split off.

    Args:
        start: first address.
        page: bytes that are backed at once.
    """

    def __init__(self, start: int, page: int) -> None:
        super().__init__(GRANULE)
        self._page = page
        self._end = start
        # addresses below the end that have no pages, in order
        self._holes: list[tuple[int, int]] = []

    def copy(self) -> Self:
        other = super().copy()
        other._page, other._end, other._holes = self._page, self._end, self._holes.copy()
        return other

    def need(self, request: int) -> int:
        _, ranges = self._room(request)
        return sum(size for _, size in ranges)

    def grow(self, request: int) -> tuple[int, int]:
        begin, ranges = self._room(request)
        for start, size in ranges:
            self._back(start, size)
            self.give(start, size)
        return begin, self._cut(begin, self._remove(begin), request)

    def drop_free(self) -> int:
        dropped = 0
        for start, size in sorted(self._sizes_by_start.items()):
            first, last = -(-start // self._page) * self._page, (start + size) // self._page * self._page
            if first < last:
                self._strip(start, size, first, last)
                dropped += last - first
        return dropped

    def _room(self, request: int) -> tuple[int, list[tuple[int, int]]]:
        """The lowest addresses with room for a request that are free or have no pages, and what of them must
        be backed by pages.
        """
        for hole, _ in self._holes:
            begin = self._starts_by_end.get(hole, hole)
            ranges = self._ranges(begin, begin + request)
            if ranges is not None:
                return begin, ranges
        begin = self._starts_by_end.get(self._end, self._end)
        return begin, [(self._end, self._whole_pages(begin + request - self._end))]

    def _ranges(self, begin: int, end: int) -> list[tuple[int, int]] | None:
        """What lacks pages from ``begin`` to ``end``; None when a block in use is in between."""
        holes = dict(self._holes)
        ranges = []
        while begin < end:
            if begin in self._sizes_by_start:
                begin += self._sizes_by_start[begin]
            elif begin in holes:
                ranges.append((begin, min(holes[begin], self._whole_pages(end - begin))))
                begin += holes[begin]
            elif begin == self._end:
                ranges.append((begin, self._whole_pages(end - begin)))
                begin = end
            else:
                return None
        return ranges

    def _whole_pages(self, size: int) -> int:
        return -(-size // self._page) * self._page

    def _back(self, start: int, size: int) -> None:
        """Give pages to addresses that have none."""
        if start == self._end:
            self._end += size
            return
        place = bisect_left(self._holes, (start, 0))
        _, whole = self._holes.pop(place)
        if whole > size:
            self._holes.insert(place, (start + size, whole - size))

    def _strip(self, start: int, size: int, first: int, last: int) -> None:
        """Take the pages from ``first`` to ``last`` from a free block."""
        self._remove(start)
        if start < first:
            self._put(start, first - start)
        if last < start + size:
            self._put(last, start + size - last)
        self._holes = _joined(sorted([*self._holes, (first, last - first)]))


def segment_size(request: int) -> int:
    """Bytes that are asked of the driver for a request of ``request`` bytes, as fixed segments."""
    if request <= SMALL:
        return SMALL_SEGMENT
    if request < MEDIUM:
        return MEDIUM_SEGMENT
    return -(-request // LARGE_STEP) * LARGE_STEP


def _joined(holes: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Neighbours made one."""
    joined: list[tuple[int, int]] = []
    for start, size in holes:
        if joined and sum(joined[-1]) == start:
            joined[-1] = (joined[-1][0], joined[-1][1] + size)
        else:
            joined.append((start, size))
    return joined
