"""A peak in words."""

from collections.abc import Sequence

from cotracker_pipeline.memory.holders import Holder
from cotracker_pipeline.memory.ledger import Peak, Phase
from cotracker_pipeline.memory.timeline import Timeline

#: All sizes are told in the largest of these that the peak has one of.
UNITS = {"GB": 1e9, "MB": 1e6, "kB": 1e3}
#: Shares of a phase that are called its beginning and its end.
EDGE = 0.05
PASSES = {"forward": "the forward pass", "backward": "the backward pass"}


def explain(peak: Peak, timeline: Timeline, holders: Sequence[Holder]) -> tuple[str, ...]:
    """Sentences: when the peak is and what is computed then, and one for each holder."""
    unit = next((name for name, size in UNITS.items() if peak.bytes >= size), "kB")
    when = _when(timeline.peak_position, timeline.phases)
    where = f"{peak.module} computes {peak.operation}" if peak.module else f"{peak.operation} is computed"
    return (
        f"{_size(peak.bytes, unit)} are live at the peak, {when}, while {where}.",
        *(_sentence(holder, peak.bytes, unit) for holder in holders),
    )


def _when(position: int, phases: Sequence[Phase]) -> str:
    phase = next(phase for phase in phases if position <= phase.end)
    share = (position - phase.start) / (phase.end - phase.start)
    part = "at the beginning of" if share < EDGE else "at the end of" if share > 1 - EDGE else "in"
    return f"{part} {PASSES.get(phase.name, f'the phase {phase.name}')}"


def _sentence(holder: Holder, total: int, unit: str) -> str:
    share = 100 * holder.bytes / total
    parts = ", ".join(f"{part.place} {_size(part.bytes, unit)}" for part in holder.parts)
    return (
        f"{_size(holder.bytes, unit)} ({share:.1f} %): {holder.place}{_calls(holder)}"
        f"{', of which ' if parts else ''}{parts}."
    )


def _size(size: int, unit: str) -> str:
    return f"{size / UNITS[unit]:.2f} {unit}"


def _calls(holder: Holder) -> str:
    if not holder.modules:
        return ""
    each, uneven = divmod(holder.calls, holder.modules)
    if uneven:
        return f" ({holder.modules} modules, {holder.calls} calls)"
    calls = f"{each} call{'s' if each > 1 else ''}"
    return f" ({calls})" if holder.modules == 1 else f" ({holder.modules} modules x {calls})"
