"""The benchmark: one row a video, right units, videos without a result, and bad input."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from cotracker_pipeline.data.store import Sequence, write_shard
from cotracker_pipeline.errors import UserError
from cotracker_pipeline.evaluation.baselines import BASELINES
from cotracker_pipeline.evaluation.benchmark import (
    COUNT_NAMES,
    evaluate_sequence,
    evaluate_shards,
    summarise,
)
from cotracker_pipeline.evaluation.cycle import CYCLE_NAMES, GRID_SIDE, cycle_metrics
from cotracker_pipeline.evaluation.metrics import METRIC_NAMES

HEIGHT, WIDTH, FRAMES, POINTS = 32, 64, 7, 5
FIRST = {"first": BASELINES["static"]}
FACTS = ("video", "frames", "tracks", "query_mode")


def sequence(name, seed=0, hidden=False):
    random = np.random.default_rng(seed)
    visible = random.random((POINTS, FRAMES)) < 0.7
    visible[:, 0] = True
    return Sequence(
        name=name,
        video=random.integers(0, 256, (FRAMES, HEIGHT, WIDTH, 3), dtype=np.uint8),
        tracks=random.uniform(0, 30, (POINTS, FRAMES, 2)).astype(np.float32),
        visible=np.zeros_like(visible) if hidden else visible,
    )


def shard(path, *sequences):
    write_shard(path, sequences, {"source": "test", "licence": "none"})
    return path


def oracle(truth, shift=(0.0, 0.0)):
    """A tracker that knows the answer and is off by ``shift`` raster pixels of the video."""

    def track(_video, queries):
        at_query = truth.tracks[:, queries[:, 0].astype(int)].transpose(1, 0, 2)
        which = np.abs(at_query - queries[:, None, 1:]).sum(-1).argmin(1)
        return truth.tracks[which] + np.float32(shift), truth.visible[which]

    return track


def evaluate(tracker, item, mode="first", valid=None):
    valid = np.ones_like(item.visible) if valid is None else valid
    return evaluate_sequence(tracker, item.video, item.tracks, item.visible, valid, mode)


@pytest.mark.parametrize("mode", ["first", "strided"])
def test_right_answer_is_one(mode):
    metrics = evaluate(oracle(sequence("a")), sequence("a"), mode)
    assert all(metrics[name] == 1 for name in METRIC_NAMES)


@pytest.mark.parametrize(
    ("shift", "within_4"),
    # 256 / 64 = 4 metric pixels a pixel in x, 256 / 32 = 8 in y; the threshold is strict
    [((0.9, 0.0), 1.0), ((1.1, 0.0), 0.0), ((0.0, 0.45), 1.0), ((0.0, 0.55), 0.0)],
)
def test_distances_are_measured_in_the_square_raster(shift, within_4):
    assert evaluate(oracle(sequence("a"), shift), sequence("a"))["pts_within_4"] == within_4


def test_counts():
    item = sequence("a")
    metrics = evaluate(BASELINES["static"], item)
    assert metrics["queries"] == POINTS
    assert metrics["evaluated_points"] == POINTS * (FRAMES - 1)
    assert metrics["visible_points"] == item.visible[:, 1:].sum()
    strided = evaluate(BASELINES["static"], item, "strided")
    assert strided["queries"] == item.visible[:, ::5].sum()
    assert strided["evaluated_points"] == strided["queries"] * (FRAMES - 1)


def test_what_is_not_annotated_counts_as_hidden():
    item = sequence("a")
    valid = np.random.default_rng(3).random(item.visible.shape) < 0.5
    tracks = np.where(valid[..., None], item.tracks, np.float32(np.nan))
    metrics = evaluate_sequence(BASELINES["static"], item.video, tracks, item.visible, valid, "strided")
    assert metrics["queries"] == (item.visible & valid)[:, ::5].sum()
    assert np.isfinite(metrics["average_jaccard"])


@pytest.mark.parametrize("mode", ["first", "strided"])
def test_video_without_queries_asks_nothing(mode):
    def must_not_run(*_):
        raise AssertionError

    metrics = evaluate(must_not_run, sequence("a", hidden=True), mode)
    assert all(np.isnan(metrics[name]) for name in METRIC_NAMES)
    assert all(metrics[name] == 0 for name in COUNT_NAMES)


@pytest.mark.parametrize("mode", ["first", "strided"])
def test_rows(tmp_path, mode):
    one = shard(tmp_path / "one.h5", sequence("a", 1), sequence("b", 2, hidden=True))
    two = shard(tmp_path / "two.h5", sequence("c", 3))
    seen = []
    frame = evaluate_shards(
        {mode: BASELINES["static"]}, [one, two], lambda done, total: seen.append((done, total))
    )
    assert list(frame.columns) == [
        "video",
        "frames",
        "tracks",
        "query_mode",
        *METRIC_NAMES,
        *COUNT_NAMES,
        *CYCLE_NAMES,
    ]
    assert list(frame["video"]) == ["a", "b", "c"]
    assert set(frame["frames"]) == {FRAMES}
    assert set(frame["tracks"]) == {POINTS}
    assert set(frame["query_mode"]) == {mode}
    assert seen == [(1, 3), (2, 3), (3, 3)]
    for row, seed in ((0, 1), (2, 3)):
        wanted = evaluate(BASELINES["static"], sequence("x", seed), mode)
        assert {name: frame[name][row] for name in METRIC_NAMES} == {
            name: wanted[name] for name in METRIC_NAMES
        }

    summary = summarise(frame)
    assert list(summary.index) == list(METRIC_NAMES)
    assert set(summary["videos"]) == {2}
    assert set(summary["dropped"]) == {1}
    np.testing.assert_allclose(
        summary["mean"]["average_jaccard"], frame["average_jaccard"][[0, 2]].mean(), rtol=1e-12
    )


def test_query_modes_are_rows(tmp_path):
    path = shard(tmp_path / "one.h5", sequence("a", 1), sequence("b", 2))
    both = evaluate_shards(dict.fromkeys(["first", "strided"], BASELINES["static"]), [path])
    assert list(both["video"]) == ["a", "a", "b", "b"]
    for mode, rows in both.groupby("query_mode"):
        alone = evaluate_shards({mode: BASELINES["static"]}, [path])
        pd.testing.assert_frame_equal(rows.reset_index(drop=True), alone)


def test_max_tracks_takes_the_first(tmp_path):
    item = sequence("a")
    frame = evaluate_shards({"strided": BASELINES["static"]}, [shard(tmp_path / "a.h5", item)], max_tracks=2)
    assert frame["tracks"][0] == 2
    assert frame["queries"][0] == item.visible[:2, ::5].sum()


def test_one_name_is_one_video(tmp_path):
    paths = [shard(tmp_path / f"{name}.h5", sequence("a")) for name in "xy"]
    with pytest.raises(UserError, match=r"y\.h5: sequence 'a' is also in .*x\.h5"):
        evaluate_shards(FIRST, paths)


def test_bad_input_is_named(tmp_path):
    path = shard(tmp_path / "a.h5", sequence("a"))
    with pytest.raises(UserError, match="no such file"):
        evaluate_shards(FIRST, [tmp_path / "none.h5"])
    with pytest.raises(UserError, match="no video to evaluate"):
        evaluate_shards(FIRST, [])
    with pytest.raises(ValueError, match="query_mode is 'last'"):
        evaluate_shards({"last": BASELINES["static"]}, [path])
    with pytest.raises(ValueError, match="max_tracks is 0"):
        evaluate_shards(FIRST, [path], max_tracks=0)
    item = sequence("a")
    with pytest.raises(ValueError, match="query_mode is 'last'"):
        evaluate(BASELINES["static"], item, "last")
    with pytest.raises(ValueError, match="pred_tracks has shape"):
        evaluate(lambda *_: (np.zeros((1, FRAMES, 2)), np.ones((POINTS, FRAMES), bool)), item)


def test_without_tracks_there_is_the_cycle_error(tmp_path):
    item = sequence("a")
    bare = replace(item, name="b", tracks=item.tracks[:0], visible=item.visible[:0])
    path = shard(tmp_path / "a.h5", item, bare)
    frame = evaluate_shards(dict.fromkeys(["first", "strided"], BASELINES["dis-flow"]), [path])
    known, unknown = (frame[frame["video"] == name] for name in "ab")
    assert known[list(METRIC_NAMES)].notna().all(axis=None)
    assert known["cycle_error"].isna().all()
    assert unknown[list(METRIC_NAMES)].isna().all(axis=None)
    assert list(unknown["queries"]) == [GRID_SIDE**2, 2 * GRID_SIDE**2]
    for _, row in unknown.iterrows():
        wanted = cycle_metrics(BASELINES["dis-flow"], item.video, row["query_mode"])
        assert row[list(wanted)].to_dict() == wanted
        assert 0 < row["cycle_points"] < row["queries"]
        assert row["cycle_error"] > 0
