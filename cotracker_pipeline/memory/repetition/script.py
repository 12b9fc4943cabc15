"""What happened once, written down so that it can be entered into a ledger again and again."""

from collections import Counter
from typing import NamedTuple

from cotracker_pipeline.memory.ledger import Block, Event, Ledger, Note, Peak, Relabelling

#: Lower than any live bytes: the first operator of a recording has its peak.
_NO_PEAK = Peak(-1, {}, "", "", "")


class Recording(NamedTuple):
    """A stretch of a ledger.

    Attributes:
        start: blocks with this number or a higher one were allocated in it.
        events: what happened.
        notes: of the blocks that were allocated in it.
        relabellings: of any blocks.
        left: numbers of the blocks that it allocated and that outlive it.
        change: bytes that it adds to each component.
        peak: its highest moment, in bytes above its beginning; None when no operator ended in it.
        flops: floating-point operations.
    """

    start: int
    events: tuple[Event, ...]
    notes: dict[int, Note]
    relabellings: tuple[Relabelling, ...]
    left: tuple[int, ...]
    change: dict[str, int]
    peak: Peak | None
    flops: int

    def enter(self, ledger: Ledger, numbers: dict[int, int], calls: dict[int, int]) -> None:
        """Let it happen in ``ledger``.

        Args:
            ledger: where.
            numbers: blocks of earlier recordings to blocks of ``ledger``; those that are left are added.
            calls: calls of the rehearsal to those that they stand for.
        """
        shift = len(ledger.events) - self.start
        start = self.start
        if self.peak is not None and ledger.live_bytes + self.peak.bytes > ledger.peak.bytes:
            ledger.peak = self._peak_in(ledger)
        ledger.events += [
            Event(block + shift if block >= start else numbers[block], size) for block, size in self.events
        ]
        ledger.notes.update(
            {
                block + shift: Note(component, calls.get(call, call))
                for block, (component, call) in self.notes.items()
            }
        )
        ledger.relabellings += [
            Relabelling(position + shift, block + shift if block >= start else numbers[block], component)
            for position, block, component in self.relabellings
        ]
        numbers.update({block: block + shift for block in self.left})
        for component, size in self.change.items():
            ledger.by_component[component] += size
            ledger.live_bytes += size
        ledger.flops += self.flops

    def _peak_in(self, ledger: Ledger) -> Peak:
        peak = self.peak
        assert peak is not None
        together = Counter(ledger.by_component)
        for component, size in peak.breakdown.items():
            together[component] += size
        breakdown = {name: size for name, size in together.items() if size}
        return peak._replace(bytes=ledger.live_bytes + peak.bytes, breakdown=breakdown)

    def same_as(self, other: "Recording") -> bool:
        """Whether the same happened, wherever it began."""
        mine, theirs = (
            [(event.block - recording.start, event.bytes) for event in recording.events]
            for recording in (self, other)
        )
        return (mine, self.change, self.flops) == (theirs, other.change, other.flops)


class Script(Ledger):
    """The ledger of a rehearsal.

    Guests are blocks that do not belong to what is rehearsed, such as its inputs: their end is no event, but
    cuts the recording, because elsewhere it depends on whether others hold on to them.

    Attributes:
        alive: numbers of live blocks that are no guests.
        guests: names of the live guests, by number.
        scenes: a recording up to the end of a guest, and the guest.
    """

    def __init__(self) -> None:
        super().__init__()
        self.alive: set[int] = set()
        self.guests: dict[int, str] = {}
        self.scenes: list[tuple[Recording, str]] = []
        self._beginning: tuple[int, int, Counter[str], int] | None = None

    def allocate(self, size: int, component: str, call: int) -> Block:
        block = super().allocate(size, component, call)
        self.alive.add(block.number)
        return block

    def invite(self, block: Block, guest: str) -> None:
        """Make a live block a guest."""
        self.alive.discard(block.number)
        self.guests[block.number] = guest

    def release(self, block: Block) -> None:
        guest = self.guests.pop(block.number, None)
        if guest is None:
            self.alive.discard(block.number)
            super().release(block)
        elif self._beginning is not None:
            self.scenes.append((self.end(), guest))
            self.begin()

    def begin(self) -> int:
        """Begin a recording; the number of the next block."""
        self._beginning = len(self.events), len(self.relabellings), Counter(self.by_component), self.flops
        self.peak = _NO_PEAK
        return len(self.events)

    def end(self) -> Recording:
        """End the recording."""
        assert self._beginning is not None
        start, relabelled, before, flops = self._beginning
        self._beginning = None
        peak = None
        if self.peak.bytes >= 0:
            breakdown = _difference(self.peak.breakdown, before)
            peak = self.peak._replace(bytes=sum(breakdown.values()), breakdown=breakdown)
        events = tuple(self.events[start:])
        return Recording(
            start,
            events,
            {event.block: self.notes[event.block] for event in events if event.bytes > 0},
            tuple(self.relabellings[relabelled:]),
            tuple([event.block for event in events if event.block in self.alive and event.bytes > 0]),
            _difference(self.by_component, before),
            peak,
            self.flops - flops,
        )


def _difference(after: dict[str, int], before: dict[str, int]) -> dict[str, int]:
    return {
        name: after.get(name, 0) - before.get(name, 0)
        for name in {**before, **after}
        if after.get(name, 0) != before.get(name, 0)
    }
