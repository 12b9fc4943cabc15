"""The metrics of rendered sets against numbers of the published code, and what it does not define."""

import json
from pathlib import Path

import numpy as np
import pytest

from cotracker_pipeline.evaluation.known_tracks import dynamic_replica_metrics, point_odyssey_metrics
from cotracker_pipeline.evaluation.measures import (
    FROM_FIRST_FRAME,
    REPLICA_TRACKS,
    measure_dynamic_replica,
    measure_point_odyssey,
    measures_of,
)

GOLDEN = Path(__file__).parents[1] / "golden"
CASES = ("square256", "wide", "hires", "never_visible_track")
# float32 sums and an epsilon in the published denominators
POINTS = 1e-4


@pytest.fixture(scope="module")
def arrays():
    with np.load(GOLDEN / "metrics/extra_metrics.npz") as file:
        return dict(file)


def case_of(arrays, case):
    """Tracks, visibility and prediction, track by track, and (width, height)."""
    names = ("trajectory", "visibility", "pred")
    height, width = arrays[f"{case}/hw"]
    return [arrays[f"{case}/{name}"][0].swapaxes(0, 1) for name in names], (int(width), int(height))


@pytest.mark.parametrize("case", CASES)
def test_dynamic_replica_equals_the_published_evaluation(arrays, near, case):
    parts, size = case_of(arrays, case)
    got = dynamic_replica_metrics(*parts, size)
    prefix = f"{case}/cotracker_dynamic_replica/"
    wanted = {key.removeprefix(prefix): value for key, value in arrays.items() if key.startswith(prefix)}
    assert got.keys() == wanted.keys()
    for name, value in wanted.items():
        near("extra_metrics", "Dynamic Replica (points)", 100 * got[name], value, POINTS)


def test_dynamic_replica_equals_the_official_run(near):
    with np.load(GOLDEN / "model/v2_i_dynamic_replica_metrics.npz") as file:
        golden = dict(file)
    meta = json.loads(str(golden["meta"]))
    tracks, predicted, visible = (golden[name][0].swapaxes(0, 1) for name in ("traj", "pred", "vis"))
    got = dynamic_replica_metrics(tracks, visible > 0.5, predicted, (meta["W"], meta["H"]))
    for key, value in golden.items():
        if key.startswith("f64_"):
            name = key.removeprefix("f64_")
            near("v2_i_dynamic_replica_metrics", "points", 100 * got[name], value, POINTS)


@pytest.mark.parametrize("case", CASES)
def test_point_odyssey_equals_the_published_evaluation(arrays, near, case):
    parts, size = case_of(arrays, case)
    got = point_odyssey_metrics(*parts, size)
    prefix = f"{case}/pointodyssey/"
    wanted = {key.removeprefix(prefix): value for key, value in arrays.items() if key.startswith(prefix)}
    wanted.pop("median_l2_per_track")
    assert got.keys() == wanted.keys()
    for name, value in wanted.items():
        unit = 1 if name == "median_l2" else 100
        near("extra_metrics", "PointOdyssey (points, pixels)", unit * got[name], value, POINTS)


@pytest.mark.parametrize("metrics", [dynamic_replica_metrics, point_odyssey_metrics])
def test_what_is_not_known_is_not_judged(metrics):
    """Predictions where there is no truth may be anything; none at all where there is one is wrong."""
    rng = np.random.default_rng(0)
    tracks = rng.uniform(0, 40, (5, 8, 2)).astype(np.float32)
    known = np.ones((5, 8), bool)
    known[2, 3] = False
    truth = tracks.copy()
    if metrics is point_odyssey_metrics:
        truth[2, 3] = np.nan
    right = metrics(truth, known, tracks, (64, 48))
    assert right["survival" if metrics is dynamic_replica_metrics else "survival_16"] == 1
    assert all(value == 1 for name, value in right.items() if name.startswith(("accuracy", "d_")))
    lost = metrics(truth, known, np.full_like(tracks, np.nan), (64, 48))
    assert all(value == 0 for name, value in lost.items() if name != "median_l2")


def test_without_a_point_there_is_no_number():
    nothing = np.zeros((0, 4, 2), np.float32), np.zeros((0, 4), bool), np.zeros((0, 4, 2), np.float32)
    assert np.isnan(list(dynamic_replica_metrics(*nothing, (64, 48)).values())).all()
    assert np.isnan(list(point_odyssey_metrics(*nothing, (64, 48)).values())).all()
    visible = np.ones((2, 4), bool)
    tracks = np.zeros((2, 4, 2), np.float32)
    metrics = dynamic_replica_metrics(tracks, visible, tracks, (64, 48))
    assert np.isnan(metrics["accuracy_occ"])
    assert metrics["accuracy_vis"] == 1
    with pytest.raises(ValueError, match=r"must be \(N, T, 2\)"):
        dynamic_replica_metrics(tracks, visible[:1], tracks, (64, 48))


class Recorder:
    """Answers with where each track was queried, and keeps the queries."""

    def __call__(self, video, queries):
        self.queries = queries
        tracks = np.repeat(queries[:, None, 1:], len(video), axis=1).astype(np.float32)
        return tracks, np.ones(tracks.shape[:2], bool)


def long_video(tracks=300, frames=14):
    rng = np.random.default_rng(1)
    video = np.zeros((frames, 8, 16, 3), np.uint8)
    return video, rng.uniform(0, 8, (tracks, frames, 2)).astype(np.float32), np.ones((tracks, frames), bool)


def test_dynamic_replica_queries_what_is_seen_long_enough_in_frame_0():
    video, tracks, visible = long_video()
    # eleven frames are enough, ten are not; hidden in frame 0 does not matter
    visible[::3, 10:] = False
    visible[1::3, :3] = False
    tracker = Recorder()
    metrics = measure_dynamic_replica(tracker, video, tracks, visible, np.ones_like(visible))
    assert 0 < metrics["queries"] == len(tracker.queries) < REPLICA_TRACKS
    assert (tracker.queries[:, 0] == 0).all()
    asked = {tuple(query) for query in tracker.queries[:, 1:].astype(np.float32)}
    long_enough = {tuple(track) for track in tracks[np.arange(300) % 3 != 0, 0]}
    assert asked < long_enough
    visible[:] = True
    assert measure_dynamic_replica(tracker, video, tracks, visible, visible)["queries"] == REPLICA_TRACKS


def test_point_odyssey_queries_what_frame_0_shows():
    video, tracks, visible = long_video(tracks=9)
    visible[:4, 0] = False
    valid = np.ones_like(visible)
    valid[8, 0] = False
    tracker = Recorder()
    assert measure_point_odyssey(tracker, video, tracks, visible, valid)["queries"] == 4
    np.testing.assert_allclose(tracker.queries[:, 1:], tracks[4:8, 0])


def test_nothing_to_query_asks_nothing():
    video, tracks, visible = long_video(tracks=3)
    metrics = measure_point_odyssey(None, video, tracks, ~visible, visible)
    assert metrics["queries"] == 0
    assert np.isnan(metrics["d_avg"])


def test_measures_are_named_by_what_they_ask():
    trackers = {"first": Recorder(), "strided": Recorder()}
    assert list(measures_of("tap-vid", trackers, 256)) == ["first", "strided"]
    assert list(measures_of("dynamic-replica", trackers, 256)) == [FROM_FIRST_FRAME]
