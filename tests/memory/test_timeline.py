"""Live bytes over a step, in full and thinned out."""

from collections import Counter
from itertools import accumulate, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_ledgers import cases
from small_steps import small_step

from cotracker_pipeline.memory.ledger import Ledger, Phase
from cotracker_pipeline.memory.modules import NO_CALL
from cotracker_pipeline.memory.step import track_training_step
from cotracker_pipeline.memory.timeline import STRETCHES, all_moments, highest_moments, timeline
from cotracker_pipeline.memory.tracker import MemoryTracker


@given(cases())
def test_every_moment_is_what_the_ledger_said_then(case):
    moments = all_moments(case.ledger)
    rows = [+Counter(dict(zip(moments.components, row, strict=True))) for row in moments.bytes.tolist()]
    assert rows == [Counter(), *case.history]


@given(cases(), st.integers(1, 60))
def test_what_is_kept_really_was_and_the_peak_is_among_it(case, stretches):
    thin = timeline(case.ledger, stretches)
    first, last = case.ledger.phases[0].start, case.ledger.phases[-1].end
    totals = [0, *accumulate(event.bytes for event in case.ledger.events)][first : last + 1]
    assert thin.totals == tuple(totals[position] for position in thin.positions)
    assert max(thin.totals) == max(totals)
    assert thin.peak_position == totals.index(max(totals))
    assert (thin.positions[0], thin.positions[-1]) == (0, last - first)
    assert all(a < b for a, b in pairwise(thin.positions))
    assert len(thin.positions) <= stretches + len(case.ledger.phases) + 1


@given(cases(), st.integers(1, 60))
def test_phases_cover_the_timeline_in_order(case, stretches):
    thin = timeline(case.ledger, stretches)
    assert [phase.name for phase in thin.phases] == ["forward", "backward"]
    assert (thin.phases[0].start, thin.phases[-1].end) == (0, thin.positions[-1])
    assert thin.phases[0].end == thin.phases[1].start


@given(st.lists(st.integers(0, 50), min_size=2, max_size=60), st.data())
def test_the_envelope_touches_every_stretch_from_above(sizes, data):
    totals = np.array(sizes)
    inner = data.draw(st.sets(st.integers(1, len(sizes) - 1)))
    borders = sorted({0, *inner, len(sizes) - 1})
    chosen = highest_moments(totals, borders)
    assert len(chosen) == len(borders) - 1
    for (low, high), place in zip(pairwise(borders), chosen, strict=True):
        assert low < place <= high
        assert totals[place] == max(sizes[low + 1 : high + 1])
        assert totals[place] not in sizes[low + 1 : place]


@pytest.fixture(scope="module")
def tracker() -> MemoryTracker:
    return track_training_step(small_step("checkpoint-both", "meta"))


def test_a_step_of_the_model(tracker: MemoryTracker):
    """The highest moment is the peak that was noted, with all of its components."""
    thin = timeline(tracker.ledger)
    place = thin.totals.index(max(thin.totals))
    at_peak = {name: sizes[place] for name, sizes in thin.components.items() if sizes[place]}
    assert at_peak == tracker.peak.breakdown
    assert [phase.name for phase in thin.phases] == ["forward", "backward", "clip", "optimiser"]
    assert STRETCHES // 2 < len(thin.positions) <= 400
    phase = next(phase for phase in thin.phases if phase.start < thin.peak_position <= phase.end)
    assert phase.name == tracker.peak.phase


def test_gradients_come_in_the_backward_pass_and_go_in_the_optimiser(tracker: MemoryTracker):
    thin = timeline(tracker.ledger)
    _, backward, clip, optimiser = thin.phases
    gradients = dict(zip(thin.positions, thin.components["gradients"], strict=True))
    assert {size for position, size in gradients.items() if position <= backward.start} == {0}
    complete = max(gradients.values())
    assert {size for position, size in gradients.items() if clip.start < position <= clip.end} == {complete}
    assert gradients[optimiser.end] == 0


def test_a_step_of_one_event():
    ledger = Ledger()
    ledger.allocate(512, "other", NO_CALL)
    ledger.phases = [Phase("forward", 0, 1)]
    assert timeline(ledger).totals == (0, 512)
