"""The simulated allocator on traces small enough to work out by hand, and its invariants on random ones."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from memory_traces import traces

from cotracker_pipeline.memory.allocator import CachingAllocator, OutOfMemory
from cotracker_pipeline.memory.ledger import GRANULE
from cotracker_pipeline.memory.segments import MIB, segment_size


@pytest.mark.parametrize(
    ("request_bytes", "segment"),
    [
        (GRANULE, 2 * MIB),
        (MIB, 2 * MIB),
        (MIB + GRANULE, 20 * MIB),
        (10 * MIB - GRANULE, 20 * MIB),
        (10 * MIB, 10 * MIB),
        (11 * MIB, 12 * MIB),
        (33 * MIB + GRANULE, 34 * MIB),
    ],
)
def test_segment_sizes(request_bytes, segment):
    assert segment_size(request_bytes) == segment


def test_small_requests_share_a_segment():
    allocator = CachingAllocator()
    for name in range(4):
        allocator.allocate(name, MIB // 2)
    assert allocator.reserved == 2 * MIB
    allocator.allocate(4, GRANULE)
    assert allocator.reserved == 4 * MIB


def test_small_and_large_requests_do_not_share():
    allocator = CachingAllocator()
    allocator.allocate(0, 2 * MIB)
    allocator.allocate(1, MIB)
    assert allocator.reserved == 22 * MIB


def test_a_rest_of_a_large_block_up_to_one_mebibyte_is_not_split_off():
    allocator = CachingAllocator()
    allocator.allocate(0, 19 * MIB)
    assert allocator.allocated == 20 * MIB
    allocator.release(0)
    allocator.allocate(1, 18 * MIB)
    assert allocator.allocated == 18 * MIB


def test_freed_neighbours_merge_and_are_used_again():
    allocator = CachingAllocator()
    for name in range(4):
        allocator.allocate(name, 5 * MIB)
    assert allocator.reserved == 20 * MIB
    allocator.release(1)
    allocator.release(2)
    allocator.allocate(4, 9 * MIB)
    assert allocator.reserved == 20 * MIB


def test_a_hole_that_is_too_small_costs_a_new_segment():
    allocator = CachingAllocator()
    for name in range(4):
        allocator.allocate(name, 5 * MIB)
    allocator.release(0)
    allocator.release(2)
    allocator.allocate(4, 9 * MIB)
    assert (allocator.allocated, allocator.reserved) == (19 * MIB, 40 * MIB)


def test_the_best_fit_is_taken():
    allocator = CachingAllocator()
    for name, size in enumerate((40, 30, 20)):
        allocator.allocate(name, size * MIB)
    for name in range(3):
        allocator.release(name)
    allocator.allocate(3, 25 * MIB)
    allocator.allocate(4, 38 * MIB)
    assert allocator.reserved == 90 * MIB


def test_free_segments_are_given_back_only_when_the_limit_is_reached():
    allocator = CachingAllocator(limit=50 * MIB)
    allocator.allocate(0, 30 * MIB)
    allocator.release(0)
    assert allocator.reserved == 30 * MIB
    allocator.allocate(1, 40 * MIB)
    assert allocator.reserved == 40 * MIB
    with pytest.raises(OutOfMemory):
        allocator.allocate(2, 12 * MIB)


def test_blocks_of_one_stream_are_not_given_to_another():
    allocator = CachingAllocator()
    allocator.allocate(0, 30 * MIB)
    allocator.release(0)
    allocator.allocate(1, 30 * MIB, stream=1)
    assert allocator.reserved == 60 * MIB
    allocator.allocate(2, 30 * MIB)
    assert allocator.reserved == 60 * MIB


def test_expandable_segments_make_room_for_larger_blocks_of_freed_ones():
    fixed, expandable = CachingAllocator(), CachingAllocator(expandable=True)
    for allocator in (fixed, expandable):
        for name, size in enumerate((40, 60, 80)):
            allocator.allocate(name, size * MIB)
            allocator.release(name)
    assert (fixed.reserved, expandable.reserved) == (180 * MIB, 80 * MIB)


def test_expandable_segments_grow_by_pages():
    allocator = CachingAllocator(expandable=True)
    allocator.allocate(0, 21 * MIB)
    assert (allocator.allocated, allocator.reserved) == (21 * MIB, 40 * MIB)
    allocator.allocate(1, GRANULE)
    assert allocator.reserved == 42 * MIB


def test_expandable_segments_give_back_pages_and_use_the_hole_again():
    allocator = CachingAllocator(limit=100 * MIB, expandable=True)
    for name in range(3):
        allocator.allocate(name, 30 * MIB)
    assert allocator.reserved == 100 * MIB
    allocator.release(1)
    # of its addresses, 30 to 60 MiB, only the page from 40 to 60 is wholly free
    allocator.release_cached()
    assert allocator.reserved == 80 * MIB
    allocator.allocate(3, 25 * MIB)
    assert allocator.reserved == 100 * MIB
    assert sorted(allocator.live_blocks())[1] == (30 * MIB, 25 * MIB)
    with pytest.raises(OutOfMemory):
        allocator.allocate(4, 30 * MIB)


def test_a_hole_without_room_is_left_where_it_is():
    allocator = CachingAllocator(expandable=True)
    for name in range(3):
        allocator.allocate(name, 20 * MIB)
    allocator.release(1)
    allocator.release_cached()
    allocator.allocate(3, 21 * MIB)
    assert allocator.reserved == 80 * MIB
    assert sorted(allocator.live_blocks())[-1] == (60 * MIB, 21 * MIB)


@given(traces(), st.booleans(), st.booleans())
def test_live_blocks_never_overlap_and_fit_what_is_reserved(events, expandable, giving_back):
    allocator = CachingAllocator(expandable=expandable)
    asked = 0
    for event in events:
        allocator.replay([event])
        if giving_back:
            allocator.release_cached()
        asked += event.bytes
        blocks = sorted(allocator.live_blocks())
        assert all(a + size <= b for (a, size), (b, _) in pairwise(blocks))
        assert asked <= allocator.allocated == sum(size for _, size in blocks) <= allocator.reserved
    assert allocator.allocated == 0


@given(traces(), st.booleans())
def test_all_memory_can_be_given_back_in_the_end(events, expandable):
    allocator = CachingAllocator(expandable=expandable).replay(events)
    allocator.release_cached()
    assert allocator.reserved == 0
