"""The free blocks of a pool of memory."""

from bisect import bisect_left, insort
from typing import Self


class FreeBlocks:
    """Finds the best fit quickly, and merges neighbours. Nothing but numbers, so that it is quick to copy.

    Args:
        smallest_rest: what is left of a block is split off if it has this many bytes.
    """

    def __init__(self, smallest_rest: int) -> None:
        self._smallest_rest = smallest_rest
        self._sizes_by_start: dict[int, int] = {}
        self._starts_by_end: dict[int, int] = {}
        # by size, in the order of their addresses; an empty list stays until a search comes by
        self._starts_by_size: dict[int, list[int]] = {}
        self._sizes: list[int] = []

    def copy(self) -> Self:
        """The same state, independent of this one."""
        other = type(self).__new__(type(self))
        other._smallest_rest = self._smallest_rest
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

    def _remove(self, start: int) -> int:
        """Take a free block out; its size."""
        size = self._sizes_by_start.pop(start)
        del self._starts_by_end[start + size]
        self._forget(start, size)
        return size

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
