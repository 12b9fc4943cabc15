"""What must hold for any tracks: order, bounds, irrelevance of what is not evaluated; and bad arguments."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cotracker_pipeline.evaluation.metrics import METRIC_NAMES, THRESHOLDS, tapvid_metrics

QUERY_MODES = st.sampled_from(["first", "strided"])


@st.composite
def problems(draw, max_videos=3):
    """Arguments of ``tapvid_metrics`` but the mode, with errors about the size of the thresholds."""
    videos, tracks, frames = (
        draw(st.integers(1, max_videos)),
        draw(st.integers(1, 6)),
        draw(st.integers(1, 9)),
    )
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = (videos, tracks, frames)
    true_tracks = random.uniform(0, 256, (*shape, 2))
    query_points = random.uniform(0, frames - 1, (videos, tracks, 3))
    return {
        "query_points": query_points,
        "gt_occluded": random.random(shape) < draw(st.floats(0, 1)),
        "gt_tracks": true_tracks,
        "pred_occluded": random.random(shape) < draw(st.floats(0, 1)),
        "pred_tracks": true_tracks + random.normal(0, draw(st.floats(0, 10)), true_tracks.shape),
    }


def assert_same(one, other):
    for name in METRIC_NAMES:
        np.testing.assert_allclose(one[name], other[name], rtol=0, atol=1e-12, equal_nan=True, err_msg=name)


@given(problems(), QUERY_MODES)
@settings(max_examples=50, deadline=None)
def test_perfect_prediction_is_one(problem, mode):
    problem |= {"pred_occluded": problem["gt_occluded"], "pred_tracks": problem["gt_tracks"]}
    for name, value in tapvid_metrics(**problem, query_mode=mode).items():
        assert np.all((value == 1) | np.isnan(value)), name


@given(problems(), QUERY_MODES, st.booleans())
@settings(max_examples=50, deadline=None)
def test_order_and_bounds(problem, mode, trackwise):
    metrics = tapvid_metrics(**problem, query_mode=mode, get_trackwise_metrics=trackwise)
    for kind in ("pts_within", "jaccard"):
        values = np.stack([metrics[f"{kind}_{threshold}"] for threshold in THRESHOLDS])
        # a NaN does not depend on the distance
        assert np.all((np.diff(values, axis=0) >= 0) | np.isnan(values[1:]))
    for value in metrics.values():
        assert np.all(((value >= 0) & (value <= 1)) | np.isnan(value))
    defined = ~np.isnan(metrics["average_pts_within_thresh"])
    jaccard, within = (metrics[f"average_{kind}"][defined] for kind in ("jaccard", "pts_within_thresh"))
    assert np.all(jaccard <= within + 1e-12)


@given(problems(), QUERY_MODES, st.randoms(use_true_random=False))
@settings(max_examples=30, deadline=None)
def test_order_of_tracks_is_irrelevant(problem, mode, random):
    order = list(range(problem["gt_occluded"].shape[1]))
    random.shuffle(order)
    shuffled = {name: array[:, order] for name, array in problem.items()}
    assert_same(tapvid_metrics(**problem, query_mode=mode), tapvid_metrics(**shuffled, query_mode=mode))


@given(problems())
@settings(max_examples=30, deadline=None)
def test_first_ignores_everything_up_to_the_query(problem):
    frames = problem["gt_occluded"].shape[2]
    ignored = np.arange(frames) <= np.round(problem["query_points"][..., 0])[..., None]
    assert_same(
        tapvid_metrics(**problem, query_mode="first"),
        tapvid_metrics(**spoilt(problem, ignored), query_mode="first"),
    )


@given(problems(), QUERY_MODES)
@settings(max_examples=30, deadline=None)
def test_prediction_in_the_query_frame_is_irrelevant(problem, mode):
    frames = problem["gt_occluded"].shape[2]
    ignored = np.arange(frames) == np.round(problem["query_points"][..., 0])[..., None]
    assert_same(
        tapvid_metrics(**problem, query_mode=mode),
        tapvid_metrics(**spoilt(problem, ignored), query_mode=mode),
    )


def spoilt(problem, where):
    """The same problem with the opposite occlusion and lost positions predicted ``where``."""
    return problem | {
        "pred_occluded": problem["pred_occluded"] ^ where,
        "pred_tracks": np.where(where[..., None], np.nan, problem["pred_tracks"]),
    }


@given(problems(max_videos=3), QUERY_MODES)
@settings(max_examples=30, deadline=None)
def test_videos_of_a_batch_do_not_mix(problem, mode):
    together = tapvid_metrics(**problem, query_mode=mode)
    for video in range(len(problem["gt_occluded"])):
        alone = tapvid_metrics(**{name: array[[video]] for name, array in problem.items()}, query_mode=mode)
        assert_same(alone, {name: value[[video]] for name, value in together.items()})


GOOD = {
    "query_points": np.zeros((1, 2, 3)),
    "gt_occluded": np.zeros((1, 2, 4), bool),
    "gt_tracks": np.zeros((1, 2, 4, 2)),
    "pred_occluded": np.zeros((1, 2, 4), bool),
    "pred_tracks": np.zeros((1, 2, 4, 2)),
    "query_mode": "first",
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"query_mode": "last"}, "query_mode is 'last'"),
        ({"gt_occluded": np.zeros((2, 4), bool)}, r"gt_occluded has shape \(2, 4\)"),
        ({"gt_occluded": np.zeros((1, 2, 4))}, "gt_occluded has dtype float64; it must be bool"),
        ({"pred_occluded": np.zeros((1, 2, 4), np.uint8)}, "pred_occluded has dtype uint8"),
        ({"pred_occluded": np.zeros((1, 2, 5), bool)}, "pred_occluded has shape"),
        ({"pred_tracks": np.zeros((1, 2, 4, 3))}, "pred_tracks has shape"),
        ({"gt_tracks": np.zeros((1, 2, 4, 2), np.uint8)}, "gt_tracks has dtype uint8"),
        ({"query_points": np.zeros((1, 2, 2))}, "query_points has shape"),
        ({"query_points": np.full((1, 2, 3), 4.0)}, "its 4 frames are 0..3"),
        ({"query_points": np.full((1, 2, 3), np.nan)}, "query frame lies outside"),
    ],
)
def test_bad_arguments_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        tapvid_metrics(**(GOOD | change))
