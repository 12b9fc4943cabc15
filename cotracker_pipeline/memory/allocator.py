"""A simulation of CUDA's caching allocator (``c10/cuda/CUDACachingAllocator.cpp``, one stream, defaults).

Requests up to 1 MiB come from a pool of 2 MiB segments, larger ones from a pool of segments of 20 MiB (for
requests below 10 MiB) or of the request rounded up to 2 MiB. The smallest free block that is large enough is
taken and split; freed blocks merge with free neighbours in their segment. Segments stay reserved; only when
the card is full are those that are wholly free given back.

The state is nothing but numbers, so that it is quick to copy.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable
from math import inf

from cotracker_pipeline.memory.ledger import GRANULE

MIB = 1 << 20
SMALL = MIB
SMALL_SEGMENT = 2 * MIB
MEDIUM = 10 * MIB
MEDIUM_SEGMENT = 20 * MIB
LARGE_STEP = 2 * MIB

#: More than any card has.
UNLIMITED = 1 << 62

#: Between segments, so that blocks of two segments are never neighbours.
_GAP = 512


class OutOfMemory(Exception):
    """The request does not fit below the limit."""


class _Pool:
    """The free blocks of one pool.

    Args:
        smallest_rest: what is left of a block is split off if it has this many bytes.
    """

    def __init__(self, smallest_rest: int) -> None:
        self._smallest_rest = smallest_rest
        self._segments: dict[int, int] = {}
        self._sizes_by_start: dict[int, int] = {}
        self._starts_by_end: dict[int, int] = {}
        # by size, in the order of their addresses; an empty list stays until a search comes by
        self._starts_by_size: dict[int, list[int]] = {}
        self._sizes: list[int] = []

    def copy(self) -> "_Pool":
        """The same state, independent of this one."""
        other = _Pool(self._smallest_rest)
        other._segments = self._segments.copy()
        other._sizes_by_start = self._sizes_by_start.copy()
        other._starts_by_end = self._starts_by_end.copy()
        other._starts_by_size = {size: starts.copy() for size, starts in self._starts_by_size.items()}
        other._sizes = self._sizes.copy()
        return other

    def take(self, request: int) -> tuple[int, int] | None:
        """Start and size of a block for a request: the best fit, None when no block is large enough."""
        size = request
        starts = self._starts_by_size.get(request)
        if not starts:
            size = self._next_size(request)
            if not size:
                return None
            starts = self._starts_by_size[size]
        start = starts.pop(0)
        del self._sizes_by_start[start], self._starts_by_end[start + size]
        return start, request if size == request else self._cut(start, size, request)

    def take_from_new(self, start: int, size: int, request: int) -> tuple[int, int]:
        """The same from a new segment."""
        self._segments[start] = size
        return start, self._cut(start, size, request)

    def give(self, start: int, size: int) -> None:
        """Free a block, which merges with its free neighbours."""
        end = start + size
        following = self._sizes_by_start.pop(end, None)
        if following is not None:
            self._forget(end, following)
            size += following
        before = self._starts_by_end.pop(start, None)
        if before is not None:
            self._forget(before, start - before)
            size += start - before
            start = before
        self._put(start, size)

    def drop_free_segments(self) -> int:
        """Remove all segments that are wholly free; their bytes."""
        whole = [
            (start, size) for start, size in self._segments.items() if self._sizes_by_start.get(start) == size
        ]
        for start, size in whole:
            del self._segments[start], self._sizes_by_start[start], self._starts_by_end[start + size]
            self._forget(start, size)
        return sum(size for _, size in whole)

    def _cut(self, start: int, size: int, request: int) -> int:
        """Bytes that a request gets of a block; the rest is free."""
        if size - request < self._smallest_rest:
            return size
        self._put(start + request, size - request)
        return request

    def _put(self, start: int, size: int) -> None:
        self._sizes_by_start[start] = size
        self._starts_by_end[start + size] = start
        starts = self._starts_by_size.get(size)
        if starts is None:
            self._starts_by_size[size] = [start]
            insort(self._sizes, size)
        else:
            insort(starts, start)

    def _forget(self, start: int, size: int) -> None:
        starts = self._starts_by_size[size]
        del starts[bisect_left(starts, start)]

    def _next_size(self, request: int) -> int:
        """The smallest size from ``request`` on of which there are blocks, 0 when there is none."""
        sizes = self._sizes
        place = bisect_left(sizes, request)
        while place < len(sizes):
            if self._starts_by_size[sizes[place]]:
                return sizes[place]
            del self._starts_by_size[sizes.pop(place)]
        return 0


class CachingAllocator:
    """The state of the allocator.

    Args:
        limit: bytes that may be reserved.

    Attributes:
        limit: may be changed to any other between ``peak_reserved`` and ``refused`` without another state
            having come about.
        allocated, peak_allocated: bytes of whole blocks, as ``torch.cuda.memory_allocated`` counts: rests
            that are too small to be split off are part of them.
        reserved, peak_reserved: bytes of segments.
        refused: the least that would have been reserved if the limit had not been there.
    """

    def __init__(self, limit: int = UNLIMITED) -> None:
        self.limit = limit
        self.allocated = self.peak_allocated = 0
        self.reserved = self.peak_reserved = 0
        self.refused = inf
        self._small = _Pool(smallest_rest=GRANULE)
        self._large = _Pool(smallest_rest=SMALL + 1)
        self._live: dict[int, tuple[int, int]] = {}
        self._next_start = 0

    def copy(self) -> "CachingAllocator":
        """The same state, independent of this one."""
        other = CachingAllocator(self.limit)
        other.allocated, other.peak_allocated = self.allocated, self.peak_allocated
        other.reserved, other.peak_reserved = self.reserved, self.peak_reserved
        other.refused = self.refused
        other._small, other._large = self._small.copy(), self._large.copy()
        other._live = self._live.copy()
        other._next_start = self._next_start
        return other

    def allocate(self, name: int, size: int) -> None:
        """Reserve a block of ``size`` bytes (a multiple of 512). Raises ``OutOfMemory``."""
        pool = self._small if size <= SMALL else self._large
        block = pool.take(size)
        if block is None:
            block = self._take_from_new_segment(size, pool)
        self._live[name] = block
        self.allocated += block[1]
        if self.allocated > self.peak_allocated:
            self.peak_allocated = self.allocated

    def release(self, name: int) -> None:
        """Free the block that ``allocate`` made under ``name``."""
        start, size = self._live.pop(name)
        self.allocated -= size
        # small blocks come from small segments, as no rest of a large one is so small
        pool = self._small if size <= SMALL else self._large
        pool.give(start, size)

    def replay(self, events: Iterable[tuple[int, int]]) -> "CachingAllocator":
        """Apply a trace of names and bytes; returns itself. Raises ``OutOfMemory``."""
        allocate, release = self.allocate, self.release
        for name, size in events:
            if size > 0:
                allocate(name, size)
            else:
                release(name)
        return self

    def live_blocks(self) -> list[tuple[int, int]]:
        """(address, size) of every block in use."""
        return list(self._live.values())

    def release_cached(self) -> None:
        """Give back all segments that are wholly free."""
        self.reserved -= self._small.drop_free_segments() + self._large.drop_free_segments()

    def _take_from_new_segment(self, request: int, pool: _Pool) -> tuple[int, int]:
        size = segment_size(request)
        if not self._fits(size):
            self.release_cached()
            if not self._fits(size):
                raise OutOfMemory
        self.reserved += size
        self.peak_reserved = max(self.peak_reserved, self.reserved)
        start = self._next_start
        self._next_start += size + _GAP
        return pool.take_from_new(start, size, request)

    def _fits(self, size: int) -> bool:
        if self.reserved + size <= self.limit:
            return True
        self.refused = min(self.refused, self.reserved + size)
        return False


def segment_size(request: int) -> int:
    """Bytes that are asked of the driver for a request of ``request`` bytes."""
    if request <= SMALL:
        return SMALL_SEGMENT
    if request < MEDIUM:
        return MEDIUM_SEGMENT
    return -(-request // LARGE_STEP) * LARGE_STEP
