"""Reserved memory and the smallest limit of small traces, and their invariants."""

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st
from memory_traces import traces

from cotracker_pipeline.config import Card
from cotracker_pipeline.memory.allocator import UNLIMITED, CachingAllocator, OutOfMemory
from cotracker_pipeline.memory.ledger import Event
from cotracker_pipeline.memory.reservation import RESOLUTION, Replays, reservation, two_steps
from cotracker_pipeline.memory.segments import MIB

#: Nothing but the step.
BARE = Card(context_bytes=0, cublas_bytes=0)


def test_a_step_runs_on_less_than_it_would_reserve():
    events = [Event(0, 30 * MIB), Event(0, -30 * MIB), Event(2, 40 * MIB), Event(2, -40 * MIB)]
    found = reservation(events, BARE)
    assert (found.peak_blocks, found.peak, found.smallest) == (40 * MIB, 70 * MIB, 40 * MIB)


def test_expandable_segments_reserve_less():
    events = [Event(0, 30 * MIB), Event(0, -30 * MIB), Event(2, 40 * MIB), Event(2, -40 * MIB)]
    assert reservation(events, BARE.model_copy(update={"expandable_segments": True})).peak == 40 * MIB


def test_libraries_are_there_before_the_step():
    events = [Event(0, 30 * MIB), Event(0, -30 * MIB)]
    found = reservation(events, Card(cublas_bytes=32 * MIB))
    assert (found.peak_blocks, found.peak, found.smallest) == (62 * MIB, 62 * MIB, 62 * MIB)


def test_what_outlives_the_step_is_allocated_once():
    events = [Event(0, 512), Event(1, 1024), Event(1, -1024)]
    assert two_steps(events) == [*events, Event(3, 1024), Event(3, -1024)]


@given(traces())
def test_the_smallest_limit_is_one_below_which_two_steps_run(events):
    found = reservation(events, BARE)
    assert found.peak_blocks <= found.peak
    assert found.smallest <= found.peak
    assert CachingAllocator(found.smallest).replay(two_steps(events)).peak_reserved <= found.smallest


def test_the_smallest_limit_is_found_to_its_resolution():
    events = [Event(block, 100 * MIB) for block in range(10)]
    assert reservation(events, BARE).smallest <= 1000 * MIB * (1 + RESOLUTION)


def outcome(replay: Callable[..., CachingAllocator], *arguments: object) -> tuple[object, ...]:
    """Everything that can be seen of the final state; empty when memory ran out."""
    try:
        allocator = replay(*arguments)
    except OutOfMemory:
        return ()
    return allocator.peak_allocated, allocator.peak_reserved, allocator.live_blocks()


@given(traces(), st.lists(st.integers(0, 400), max_size=12), st.booleans())
def test_replays_from_earlier_states_are_replays_from_the_beginning(events, limits, expandable):
    trace = two_steps(events)
    replays = Replays(trace, expandable)
    for limit in [UNLIMITED, *[limit * MIB for limit in limits]]:
        assert outcome(replays.below, limit) == outcome(CachingAllocator(limit, expandable).replay, trace)


@given(traces(), st.booleans())
def test_a_copy_goes_its_own_way(events, expandable):
    first, second = events[: len(events) // 2], events[len(events) // 2 :]
    half = CachingAllocator(expandable=expandable).replay(first)
    copy = half.copy()
    copy.replay(second)
    copy.release_cached()
    assert copy.reserved == 0
    assert outcome(half.replay, second) == outcome(CachingAllocator(expandable=expandable).replay, events)
