"""Means, paired differences and intervals with known answers."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from cotracker_pipeline.analysis import statistics
from cotracker_pipeline.analysis.accuracy_criteria import NonInferior
from cotracker_pipeline.analysis.statistics import Interval, mean_interval, metric_matrix, paired_differences

MARGIN = 0.01
SIMULATIONS = 300
# standard deviations of seeds, of videos, and of neither; seeds, videos
SITUATIONS = [
    pytest.param((1.0, 0.0, 0.0), (3, 16), id="seeds alone, few"),
    pytest.param((0.0, 1.0, 0.0), (3, 16), id="videos alone"),
    pytest.param((0.0, 1.0, 0.0), (1, 16), id="one seed"),
    pytest.param((0.5, 0.5, 1.0), (3, 16), id="all, few"),
    pytest.param((1.0, 1.0, 1.0), (5, 32), id="all, more"),
    pytest.param((0.3, 1.0, 2.0), (8, 64), id="noise"),
]


def simulated(deviations: tuple[float, float, float], shape: tuple[int, int]) -> list[NDArray[np.float64]]:
    """Made-up numbers (seeds, videos) around 0, in hundredths."""
    random = np.random.default_rng(7)
    seed, video, rest = deviations
    seeds, videos = shape
    return [
        (
            random.normal(0, seed, (seeds, 1))
            + random.normal(0, video, (1, videos))
            + random.normal(0, rest, (seeds, videos))
        )
        / 100
        for _ in range(SIMULATIONS)
    ]


def runs(values: np.ndarray) -> pd.DataFrame:
    """Values (seeds, videos) as the rows of an evaluation."""
    rows = [
        {"seed": seed, "video": f"v{video}", "m": value} for (seed, video), value in np.ndenumerate(values)
    ]
    return pd.DataFrame(rows)


def paired_difference(ours: pd.DataFrame, baseline: pd.DataFrame, metric: str) -> Interval:
    return mean_interval(paired_differences(ours, baseline, metric))


def test_interval_of_many_videos_is_that_of_the_normal_distribution() -> None:
    values = np.random.default_rng(0).normal(5, 2, (1, 400))
    interval = mean_interval(values)
    assert interval.mean == pytest.approx(values.mean())
    assert interval.half_width == pytest.approx(1.96 * values.std() / math.sqrt(400), rel=0.05)
    assert (interval.seeds, interval.videos) == (1, 400)


def test_seed_noise_that_all_videos_share_widens_the_interval() -> None:
    videos = np.random.default_rng(0).normal(0, 0.1, 100)
    quiet = mean_interval(np.stack([videos] * 4))
    noisy = mean_interval(videos + np.array([[-1.0], [-0.5], [0.5], [1.0]]))
    assert noisy.half_width > 5 * quiet.half_width


def test_same_values_give_the_same_interval() -> None:
    values = np.random.default_rng(0).normal(0, 1, (3, 7))
    assert mean_interval(values) == mean_interval(values)


@pytest.mark.parametrize("sizes", [(3, 30), (12,)])
def test_resampling_is_that_of_another_bootstrap(sizes: tuple[int, ...]) -> None:
    samples = [np.random.default_rng(0).gamma(2, size=size) for size in sizes]
    other = stats.bootstrap(
        samples,
        lambda *drawn, axis: sum(each.mean(axis=axis) for each in drawn),
        method="percentile",
        rng=1,
    ).confidence_interval
    found = statistics._percentiles(samples)
    assert found == pytest.approx((other.low, other.high), abs=0.05 * (other.high - other.low))


def test_one_value_has_no_interval() -> None:
    interval = mean_interval(np.array([[0.5]]))
    assert interval.mean == 0.5
    assert math.isnan(interval.low)
    assert math.isnan(interval.high)


def test_nothing_has_no_mean() -> None:
    assert math.isnan(mean_interval(np.empty((0, 0))).mean)


def test_pairing_removes_what_the_videos_differ_by() -> None:
    videos = np.linspace(0, 1, 8)
    difference = paired_difference(runs(videos[None] + 0.25), runs(videos[None]), "m")
    assert difference.mean == pytest.approx(0.25)
    assert difference.half_width == pytest.approx(0, abs=1e-12)


def test_only_common_seeds_and_videos_are_paired() -> None:
    ours, baseline = np.ones((2, 3)), np.zeros((3, 2))
    difference = paired_difference(runs(ours), runs(baseline), "m")
    assert (difference.mean, difference.seeds, difference.videos) == (1.0, 2, 2)


def test_a_video_without_a_value_is_dropped_for_every_seed() -> None:
    values = np.array([[0.1, np.nan, 0.3], [0.1, 0.2, 0.3]])
    assert list(metric_matrix(runs(values), "m").columns) == ["v0", "v2"]


@pytest.fixture
def fewer_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Enough for the rates below, in seconds."""
    monkeypatch.setattr(statistics, "RESAMPLES", 999)


@pytest.mark.usefixtures("fewer_resamples")
@pytest.mark.parametrize(("deviations", "shape"), SITUATIONS)
def test_intervals_and_verdicts_err_as_seldom_as_they_say(
    deviations: tuple[float, float, float], shape: tuple[int, int]
) -> None:
    """Of a variant that loses just the margin: the truth is covered, and it is seldom called non-inferior."""
    criterion = NonInferior(kind="non-inferior", variants=("one",), metric="average_jaccard", margin=MARGIN)
    intervals = [mean_interval(values - MARGIN) for values in simulated(deviations, shape)]
    covered = np.mean([interval.low <= -MARGIN <= interval.high for interval in intervals])
    called = np.mean([criterion.decide(interval) == "holds" for interval in intervals])
    # three standard errors of such a rate; plain percentiles cover 0.72 to 0.91 here
    assert covered > 0.95 - 3 * math.sqrt(0.95 * 0.05 / SIMULATIONS)
    assert called < 0.025 + 3 * math.sqrt(0.025 * 0.975 / SIMULATIONS)


@settings(max_examples=15)
@given(st.permutations(range(12)))
def test_the_order_of_rows_changes_nothing(order: list[int]) -> None:
    values = np.random.default_rng(0).normal(0, 1, (2, 3, 4))
    ours, baseline = runs(values[0]), runs(values[1])
    shuffled = paired_difference(ours.iloc[order], baseline.iloc[order[::-1]], "m")
    assert shuffled == paired_difference(ours, baseline, "m")


@settings(max_examples=15)
@given(st.floats(-10, 10), st.floats(0.1, 10))
def test_the_interval_follows_shift_and_scale(shift: float, scale: float) -> None:
    values = np.random.default_rng(0).normal(0, 1, (3, 8))
    before, after = mean_interval(values), mean_interval(shift + scale * values)
    assert after.mean == pytest.approx(shift + scale * before.mean)
    assert after.low == pytest.approx(shift + scale * before.low)
    assert after.high == pytest.approx(shift + scale * before.high)


def test_three_seeds_are_as_unsure_as_student_says() -> None:
    """t = 4.30 with two degrees of freedom, on the standard error of three seeds."""
    seeds = np.array([-1.0, 0.0, 1.0])
    interval = mean_interval(np.repeat(seeds[:, None], 20, axis=1))
    assert interval.half_width == pytest.approx(4.303 * 1 / math.sqrt(3), rel=0.15)
