"""Who holds the memory at the peak of a snapshot that ``measure_memory --snapshot`` wrote.

    python benchmarks/explain_snapshot.py snapshot.pickle

Prints the blocks that are live at the peak, those of the same size from the same place together, the largest
sum first. Blocks from before the step (parameters, optimiser state, batch) are no part of it; what the
backward pass allocates has no place in Python.
"""

import argparse
import pickle
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

Trace = Sequence[dict[str, Any]]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("snapshot", type=Path, help="pickle; unpickling runs code, so only of your own")
    parser.add_argument("--rows", type=int, default=40, help="how many to print")
    arguments = parser.parse_args()
    with arguments.snapshot.open("rb") as file:
        traces: list[Trace] = pickle.load(file)["device_traces"]
    blocks = live_at_peak(max(traces, key=len))
    total = sum(size * count for (_, size), count in blocks.items())
    print(f"{total} bytes more than before the step")
    print("   sum MB  blocks    block bytes  place")
    for (place, size), count in largest(blocks)[: arguments.rows]:
        print(f"{size * count / 1e6:9.1f} {count:7d} {size:14d}  {place}")


def live_at_peak(trace: Trace) -> Counter[tuple[str, int]]:
    """(place, bytes of a block) to the number of such blocks, of those that the trace allocates."""
    live: dict[int, dict[str, Any]] = {}
    for event in trace[: _peak(trace)]:
        if event["action"] == "alloc":
            live[event["addr"]] = event
        elif event["action"] == "free_completed":
            live.pop(event["addr"], None)
    return Counter((_place(event.get("frames", [])), event["size"]) for event in live.values())


def largest(blocks: Counter[tuple[str, int]]) -> list[tuple[tuple[str, int], int]]:
    """Entries of ``blocks``, the largest sum of bytes first."""
    return sorted(blocks.items(), key=lambda entry: -entry[0][1] * entry[1])


def _peak(trace: Trace) -> int:
    """Number of events up to the moment at which most bytes are live."""
    total = peak = place = 0
    for number, event in enumerate(trace, start=1):
        total += _change(event)
        if total > peak:
            peak, place = total, number
    return place


def _change(event: dict[str, Any]) -> int:
    return {"alloc": 1, "free_completed": -1}.get(event["action"], 0) * event["size"]


def _place(frames: Iterable[dict[str, Any]]) -> str:
    """The innermost line outside of torch."""
    for frame in frames:
        path = Path(frame["filename"])
        if "torch" not in path.parts and path.suffix == ".py":
            return f"{path.name}:{frame['line']} {frame['name']}"
    return "no line of Python"


if __name__ == "__main__":
    main()
