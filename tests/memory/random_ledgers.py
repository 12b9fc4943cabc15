"""Random ledgers of random models."""

from collections import Counter
from typing import NamedTuple

from hypothesis import strategies as st

from cotracker_pipeline.memory.ledger import Ledger, Phase
from cotracker_pipeline.memory.modules import NO_CALL, Call

COMPONENTS = ("parameters", "gradients", "encoder", "transformer", "other")
MODULES = ("", "fnet", "blocks.0", "blocks.1", "blocks.1.mlp", "head.norm")


class Case(NamedTuple):
    """A ledger with two phases, the calls that it names, and the bytes by component after each event."""

    ledger: Ledger
    calls: list[Call]
    history: list[Counter[str]]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Something happens before the first phase, in both, and after the last one."""
    ledger, history = Ledger(), []
    calls = [
        Call(draw(st.sampled_from(MODULES)), draw(st.integers(NO_CALL, number - 1)))
        for number in range(draw(st.integers(0, 6)))
    ]
    live = []
    borders = []
    for _ in range(4):
        for _ in range(draw(st.integers(1, 12))):
            if live and draw(st.booleans()):
                # takes effect with the next event
                ledger.relabel(draw(st.sampled_from(live)), draw(st.sampled_from(COMPONENTS)))
            if live and draw(st.booleans()):
                ledger.release(live.pop(draw(st.integers(0, len(live) - 1))))
            else:
                component, size = draw(st.sampled_from(COMPONENTS)), draw(st.integers(1, 100))
                live.append(
                    ledger.allocate(512 * size, component, draw(st.integers(NO_CALL, len(calls) - 1)))
                )
            history.append(+ledger.by_component)
        borders.append(len(ledger.events))
    ledger.phases = [Phase("forward", *borders[0:2]), Phase("backward", *borders[1:3])]
    return Case(ledger, calls, history)
