"""The cycle error of trackers whose every mistake is known, on videos that move by a known path."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cotracker_pipeline.evaluation.baselines import BASELINES
from cotracker_pipeline.evaluation.cycle import GRID_SIDE, cycle_errors, cycle_metrics, grid_queries

FRAMES = 7
#: Each frame shows nothing but its own number, so that a tracker knows where it is when time runs backwards.
VIDEO = np.broadcast_to(np.arange(FRAMES, dtype=np.uint8)[:, None, None, None], (FRAMES, 24, 32, 3))

paths = arrays(np.float64, (FRAMES, 2), elements=st.floats(-20, 20, width=16))
offsets = st.tuples(st.floats(-5, 5, width=16), st.floats(-5, 5, width=16)).map(np.array)
query_frames = st.lists(st.integers(0, FRAMES - 1), min_size=1, max_size=6)


class Knowing:
    """A tracker of points that all follow one path, ``mistake(frames away from the query)`` pixels off."""

    def __init__(self, path, mistake=lambda away: 0 * away[..., None], visible_until=FRAMES):
        self.path = path
        self.mistake = mistake
        self.visible_until = visible_until

    def __call__(self, video, queries):
        shown = video[:, 0, 0, 0].astype(int)
        at = queries[:, 0].astype(int)
        away = np.abs(np.arange(len(video)) - at[:, None])
        moved = self.path[shown][None] - self.path[shown[at]][:, None]
        tracks = queries[:, None, 1:] + moved + self.mistake(away)
        return tracks, np.broadcast_to(shown < self.visible_until, tracks.shape[:2])


def queries_in(frames):
    return np.column_stack([frames, np.full(len(frames), 11.5), np.arange(len(frames)) + 3.25])


@given(paths, query_frames)
def test_a_perfect_tracker_has_none(path, frames):
    errors = cycle_errors(Knowing(path), VIDEO, queries_in(frames))
    turns = np.array(frames) < FRAMES - 1
    np.testing.assert_allclose(errors[turns], 0, atol=1e-9)
    assert np.isnan(errors[~turns]).all()


@given(paths, offsets)
def test_an_offset_counts_once_each_way(path, offset):
    tracker = Knowing(path, lambda away: (away > 0)[..., None] * offset)
    errors = cycle_errors(tracker, VIDEO, queries_in([0, 3, 5]))
    np.testing.assert_allclose(errors, 2 * np.hypot(*offset), atol=1e-9)


@given(paths, offsets, st.integers(2, FRAMES))
def test_a_drift_grows_to_where_the_point_turns(path, drift, visible_until):
    tracker = Knowing(path, lambda away: away[..., None] * drift, visible_until)
    frames = np.array([0, 1, 4])
    errors = cycle_errors(tracker, VIDEO, queries_in(frames))
    seen = visible_until - 1 - frames
    np.testing.assert_allclose(errors[seen > 0], 2 * seen[seen > 0] * np.hypot(*drift), atol=1e-9)
    assert np.isnan(errors[seen <= 0]).all()


def test_a_point_that_is_nowhere_does_not_turn_there():
    lost = Knowing(np.zeros((FRAMES, 2)), lambda away: np.where(away == 6, np.nan, away)[..., None])
    np.testing.assert_allclose(cycle_errors(lost, VIDEO, queries_in([0])), 10 * np.sqrt(2))


def test_the_mean_is_of_the_points_that_turn():
    path = np.zeros((FRAMES, 2))
    metrics = cycle_metrics(Knowing(path, lambda away: (away > 0)[..., None] * [0.3, 0.4]), VIDEO, "strided")
    assert metrics["queries"] == 2 * GRID_SIDE**2
    assert metrics["cycle_points"] == 2 * GRID_SIDE**2
    assert metrics["cycle_error"] == pytest.approx(1)
    hidden = cycle_metrics(Knowing(path, visible_until=1), VIDEO, "first")
    assert (hidden["queries"], hidden["cycle_points"]) == (GRID_SIDE**2, 0)
    assert np.isnan(hidden["cycle_error"])


def test_queries_are_spread_over_the_frame():
    queries = grid_queries(VIDEO, "strided")
    assert np.unique(queries[:, 0]).tolist() == [0, 5]
    np.testing.assert_allclose(np.unique(queries[:, 1]), 3.2 * np.arange(GRID_SIDE) + 1.6)
    np.testing.assert_allclose(np.unique(queries[:, 2]), 2.4 * np.arange(GRID_SIDE) + 1.2)
    np.testing.assert_array_equal(grid_queries(VIDEO, "first"), queries[: GRID_SIDE**2])
    with pytest.raises(ValueError, match="query_mode is 'last'"):
        grid_queries(VIDEO, "last")


def test_points_that_never_move_come_back():
    assert cycle_metrics(BASELINES["static"], VIDEO, "first")["cycle_error"] == pytest.approx(0, abs=1e-6)
