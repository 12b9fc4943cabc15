"""A simulation of CUDA's caching allocator (``c10/cuda/CUDACachingAllocator.cpp``).

Requests up to 1 MiB come from a pool of 2 MiB segments, larger ones from a pool of segments of 20 MiB (for
requests below 10 MiB) or of the request rounded up to 2 MiB. The smallest free block that is large enough is
taken and split; freed blocks merge with free neighbours in their segment. Segments stay reserved; only when
the card is full are those that are wholly free given back. Blocks of one stream are never given to another.

Which of two free blocks of the same size is taken depends on their addresses, which the driver chooses; here
newer segments lie higher.
"""

from collections.abc import Iterable
from math import inf

from cotracker_pipeline.memory.ledger import GRANULE
from cotracker_pipeline.memory.segments import (
    MEDIUM_SEGMENT,
    SMALL,
    SMALL_SEGMENT,
    ExpandableSegments,
    FixedSegments,
    Pool,
)

#: More than any card has.
UNLIMITED = 1 << 62

#: Addresses of a pool: whole pages of any size, and more than it can ever use.
_RANGE = MEDIUM_SEGMENT << 36


class OutOfMemory(Exception):
    """The request does not fit below the limit."""


class CachingAllocator:
    """The state of the allocator.

    Args:
        limit: bytes that may be reserved.
        expandable: segments are expandable (``PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True``).

    Attributes:
        limit: may be changed to any other between ``peak_reserved`` and ``refused`` without another state
            having come about.
        allocated, peak_allocated: bytes of whole blocks, as ``torch.cuda.memory_allocated`` counts: rests
            that are too small to be split off are part of them.
        reserved, peak_reserved: bytes of segments.
        refused: the least that would have been reserved if the limit had not been there.
    """

    def __init__(self, limit: int = UNLIMITED, expandable: bool = False) -> None:
        self.limit = limit
        self.allocated = self.peak_allocated = 0
        self.reserved = self.peak_reserved = 0
        self.refused = inf
        self._expandable = expandable
        self._pools: dict[tuple[bool, int], Pool] = {}
        self._live: dict[int, tuple[int, int, tuple[bool, int]]] = {}

    def copy(self) -> "CachingAllocator":
        """The same state, independent of this one."""
        other = CachingAllocator(self.limit, self._expandable)
        other.allocated, other.peak_allocated = self.allocated, self.peak_allocated
        other.reserved, other.peak_reserved = self.reserved, self.peak_reserved
        other.refused = self.refused
        other._pools = {key: pool.copy() for key, pool in self._pools.items()}
        other._live = self._live.copy()
        return other

    def allocate(self, name: int, size: int, stream: int = 0) -> None:
        """Reserve a block of ``size`` bytes (a multiple of 512). Raises ``OutOfMemory``."""
        key = size <= SMALL, stream
        pool = self._pools.get(key) or self._new_pool(key)
        start, taken = pool.take(size) or self._grow(pool, size)
        self._live[name] = start, taken, key
        self.allocated += taken
        if self.allocated > self.peak_allocated:
            self.peak_allocated = self.allocated

    def release(self, name: int) -> None:
        """Free the block that ``allocate`` made under ``name``."""
        start, size, key = self._live.pop(name)
        self.allocated -= size
        self._pools[key].give(start, size)

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
        return [(start, size) for start, size, _ in self._live.values()]

    def release_cached(self) -> None:
        """Give back whatever is reserved and wholly free."""
        self.reserved -= sum(pool.drop_free() for pool in self._pools.values())

    def _new_pool(self, key: tuple[bool, int]) -> Pool:
        small, _ = key
        start = len(self._pools) * _RANGE
        pool: Pool
        if self._expandable:
            pool = ExpandableSegments(start, SMALL_SEGMENT if small else MEDIUM_SEGMENT)
        else:
            pool = FixedSegments(start, GRANULE if small else SMALL + 1)
        self._pools[key] = pool
        return pool

    def _grow(self, pool: Pool, request: int) -> tuple[int, int]:
        if not self._fits(pool.need(request)):
            self.release_cached()
            if not self._fits(pool.need(request)):
                raise OutOfMemory
        self.reserved += pool.need(request)
        self.peak_reserved = max(self.peak_reserved, self.reserved)
        return pool.grow(request)

    def _fits(self, size: int) -> bool:
        if self.reserved + size <= self.limit:
            return True
        self.refused = min(self.refused, self.reserved + size)
        return False
