"""Reserved memory and the smallest limit of small traces, and their invariants."""

from hypothesis import given
from memory_traces import traces

from cotracker_pipeline.memory.allocator import MIB, CachingAllocator
from cotracker_pipeline.memory.ledger import Event
from cotracker_pipeline.memory.reservation import RESOLUTION, reservation, two_steps


def test_a_step_runs_on_less_than_it_would_reserve():
    events = [Event(0, 30 * MIB), Event(0, -30 * MIB), Event(2, 40 * MIB), Event(2, -40 * MIB)]
    found = reservation(events)
    assert (found.peak_blocks, found.peak, found.smallest) == (40 * MIB, 70 * MIB, 40 * MIB)


def test_what_outlives_the_step_is_allocated_once():
    events = [Event(0, 512), Event(1, 1024), Event(1, -1024)]
    assert two_steps(events) == [*events, Event(3, 1024), Event(3, -1024)]


@given(traces())
def test_the_smallest_limit_is_one_below_which_two_steps_run(events):
    found = reservation(events)
    assert found.peak_blocks <= found.peak
    assert found.smallest <= found.peak
    assert CachingAllocator(found.smallest).replay(two_steps(events)).peak_reserved <= found.smallest


def test_the_smallest_limit_is_found_to_its_resolution():
    events = [Event(block, 100 * MIB) for block in range(10)]
    assert reservation(events).smallest <= 1000 * MIB * (1 + RESOLUTION)
