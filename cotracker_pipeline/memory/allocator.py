"""A simulation of CUDA's caching allocator (``c10/cuda/CUDACachingAllocator.cpp``, one stream, defaults).

Requests up to 1 MiB come from a pool of 2 MiB segments, larger ones from a pool of segments of 20 MiB (for
requests below 10 MiB) or of the request rounded up to 2 MiB. The smallest free block that is large enough is
taken and split; freed blocks merge with free neighbours in their segment. Segments stay reserved; only when
the card is full are those that are wholly free given back.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable

from cotracker_pipeline.memory.ledger import GRANULE, Event

MIB = 1 << 20
SMALL = MIB
SMALL_SEGMENT = 2 * MIB
MEDIUM = 10 * MIB
MEDIUM_SEGMENT = 20 * MIB
LARGE_STEP = 2 * MIB


class OutOfMemory(Exception):
    """The request does not fit below the limit."""


class _Block:
    """A part of a segment, linked to its neighbours in the segment."""

    __slots__ = ("address", "after", "before", "free", "pool", "size")

    def __init__(self, address: int, size: int, pool: "_Pool") -> None:
        self.address = address
        self.size = size
        self.pool = pool
        self.free = False
        self.before: _Block | None = None
        self.after: _Block | None = None


class _Pool:
    """Free blocks, smallest first; blocks of one size by address."""

    def __init__(self, smallest_rest: int) -> None:
        self.smallest_rest = smallest_rest
        self._order: list[tuple[int, int]] = []
        self._blocks: dict[int, _Block] = {}

    def put(self, block: _Block) -> None:
        block.free = True
        insort(self._order, (block.size, block.address))
        self._blocks[block.address] = block

    def remove(self, block: _Block) -> None:
        block.free = False
        del self._order[bisect_left(self._order, (block.size, block.address))]
        del self._blocks[block.address]

    def take(self, size: int) -> _Block | None:
        """The best fit, None when no block is large enough."""
        place = bisect_left(self._order, (size, 0))
        if place == len(self._order):
            return None
        block = self._blocks.pop(self._order.pop(place)[1])
        block.free = False
        return block

    def whole_segments(self) -> list[_Block]:
        return [block for block in self._blocks.values() if block.before is None and block.after is None]


class CachingAllocator:
    """The state of the allocator.

    Args:
        limit: bytes that may be reserved; no limit when None.

    ``allocated`` counts whole blocks, as ``torch.cuda.memory_allocated`` does: rests that are too small to be
    split off are part of them.
    """

    def __init__(self, limit: int | None = None) -> None:
        self.limit = limit
        self.allocated = self.peak_allocated = 0
        self.reserved = self.peak_reserved = 0
        self._small = _Pool(smallest_rest=GRANULE)
        self._large = _Pool(smallest_rest=SMALL + 1)
        self._live: dict[int, _Block] = {}
        self._next_address = 1

    def allocate(self, name: int, size: int) -> None:
        """Reserve a block of ``size`` bytes (a multiple of 512). Raises ``OutOfMemory``."""
        pool = self._small if size <= SMALL else self._large
        block = pool.take(size) or self._new_segment(size, pool)
        if block.size - size >= pool.smallest_rest:
            self._split(block, size)
        self._live[name] = block
        self.allocated += block.size
        self.peak_allocated = max(self.peak_allocated, self.allocated)

    def release(self, name: int) -> None:
        """Free the block that ``allocate`` made under ``name``."""
        block = self._live.pop(name)
        self.allocated -= block.size
        after = block.after
        if after is not None and after.free:
            block.pool.remove(after)
            _merge(block, after)
        before = block.before
        if before is not None and before.free:
            block.pool.remove(before)
            _merge(before, block)
            block = before
        block.pool.put(block)

    def replay(self, events: Iterable[Event]) -> "CachingAllocator":
        """Apply a trace; returns itself. Raises ``OutOfMemory``."""
        for name, size in events:
            if size > 0:
                self.allocate(name, size)
            else:
                self.release(name)
        return self

    def live_blocks(self) -> list[tuple[int, int]]:
        """(address, size) of every block in use."""
        return [(block.address, block.size) for block in self._live.values()]

    def release_cached(self) -> None:
        """Give back all segments that are wholly free."""
        for pool in (self._small, self._large):
            for block in pool.whole_segments():
                pool.remove(block)
                self.reserved -= block.size

    def _new_segment(self, request: int, pool: _Pool) -> _Block:
        size = segment_size(request)
        if self.limit is not None and self.reserved + size > self.limit:
            self.release_cached()
            if self.reserved + size > self.limit:
                raise OutOfMemory
        self.reserved += size
        self.peak_reserved = max(self.peak_reserved, self.reserved)
        block = _Block(self._next_address, size, pool)
        self._next_address += size
        return block

    def _split(self, block: _Block, size: int) -> None:
        rest = _Block(block.address + size, block.size - size, block.pool)
        rest.before, rest.after = block, block.after
        if rest.after is not None:
            rest.after.before = rest
        block.after, block.size = rest, size
        block.pool.put(rest)


def segment_size(request: int) -> int:
    """Bytes that are asked of the driver for a request of ``request`` bytes."""
    if request <= SMALL:
        return SMALL_SEGMENT
    if request < MEDIUM:
        return MEDIUM_SEGMENT
    return -(-request // LARGE_STEP) * LARGE_STEP


def _merge(block: _Block, following: _Block) -> None:
    block.size += following.size
    block.after = following.after
    if following.after is not None:
        following.after.before = block
