"""Random traces of allocations."""

from hypothesis import strategies as st

from cotracker_pipeline.memory.ledger import GRANULE, Event
from cotracker_pipeline.memory.segments import MIB

sizes = st.integers(1, 3 * MIB // GRANULE) | st.integers(1, 60 * MIB // GRANULE)


@st.composite
def traces(draw: st.DrawFn) -> list[Event]:
    """A closed trace: everything that is allocated is released."""
    live: list[Event] = []
    events = []
    for name, size in enumerate(draw(st.lists(sizes, max_size=40))):
        live.append(Event(name, size * GRANULE))
        events.append(live[-1])
        while live and draw(st.booleans()):
            block, taken = live.pop(draw(st.integers(0, len(live) - 1)))
            events.append(Event(block, -taken))
    return events + [Event(block, -taken) for block, taken in live]
