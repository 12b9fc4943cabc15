"""Means, paired differences and intervals with known answers."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from cotracker_pipeline.analysis.statistics import mean_interval, metric_matrix, paired_difference


def runs(values: np.ndarray) -> pd.DataFrame:
    """Values (seeds, videos) as the rows of an evaluation."""
    rows = [
        {"seed": seed, "video": f"v{video}", "m": value} for (seed, video), value in np.ndenumerate(values)
    ]
    return pd.DataFrame(rows)


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


@pytest.mark.parametrize("shape", [(3, 30), (1, 12), (5, 1)])
def test_the_interval_is_that_of_another_bootstrap(shape: tuple[int, int]) -> None:
    values = np.random.default_rng(0).gamma(2, size=shape)
    interval = mean_interval(values)

    def mean_of_drawn(seeds, videos):
        return values[np.ix_(seeds, videos)].mean()

    axes = [np.arange(size) if size > 1 else np.zeros(2, int) for size in shape]
    other = stats.bootstrap(
        axes, mean_of_drawn, vectorized=False, n_resamples=4000, method="percentile", rng=1
    ).confidence_interval
    assert (interval.low, interval.high) == pytest.approx((other.low, other.high), abs=0.06 * values.std())


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
