"""Means and paired differences over videos and seeds, with bootstrap intervals.

What is resampled, and why: the numbers are a table of seeds by videos, and both are samples, of the
trainings and of the videos that might have been. Every seed sees the same videos, so single numbers are not
independent: the means of the seeds and, independently of them, the means of the videos are resampled. Noise
that is neither a seed's nor a video's is in both and counts twice, which errs on the side of wider intervals.

A plain percentile interval of three seeds contains the truth in 72 % of simulated cases instead of 95 %: a
resample spreads less than its sample by (n - 1) / n, and does not know how unsure a spread of few values is.
Deviations are therefore enlarged by sqrt(n / (n - 1)), and the interval by Student's t over the normal
quantile, with the degrees of freedom of Welch and Satterthwaite; with many seeds and videos both corrections
vanish. ``tests/analysis/test_statistics.py`` simulates how often intervals and verdicts err.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

CONFIDENCE = 0.95
RESAMPLES = 9999


@dataclass(frozen=True)
class Interval:
    """A mean with its bootstrap interval.

    ``low`` and ``high`` are NaN where nothing can be resampled (one seed and one video); with one seed the
    interval covers the spread over videos only.
    """

    mean: float
    low: float
    high: float
    seeds: int
    videos: int

    @property
    def half_width(self) -> float:
        return (self.high - self.low) / 2


def metric_matrix(runs: pd.DataFrame, metric: str, column: str = "video") -> pd.DataFrame:
    """``metric`` as a table of seeds (rows) by videos (columns); videos that lack a value are dropped."""
    return runs.pivot(index="seed", columns=column, values=metric).dropna(axis="columns")


def paired_differences(runs: pd.DataFrame, baseline: pd.DataFrame, metric: str) -> NDArray[np.float64]:
    """``runs`` minus ``baseline`` over the seeds and videos that both have: (seeds, videos).

    Args:
        runs: one row a seed and video of one variant and query mode; columns seed, video and ``metric``.
        baseline: the same for the variant to compare with.
        metric: name of the column.
    """
    return _common(metric_matrix(runs, metric) - metric_matrix(baseline, metric))


def difference_of_matrices(ours: pd.DataFrame, baseline: pd.DataFrame) -> Interval:
    """Mean and interval of the paired differences of two ``metric_matrix``."""
    return mean_interval(_common(ours - baseline))


def _common(difference: pd.DataFrame) -> NDArray[np.float64]:
    """Without the seeds and videos that one of the two has not."""
    common = difference.dropna(axis="index", how="all").dropna(axis="columns")
    return common.to_numpy(dtype=np.float64)


def mean_interval(values: NDArray[np.float64]) -> Interval:
    """Mean of ``values`` (seeds, videos) with its bootstrap interval, as the module describes it.

    The resampling is seeded: the same values give the same interval.
    """
    seeds, videos = values.shape
    if values.size == 0:
        return Interval(np.nan, np.nan, np.nan, seeds, videos)
    mean = float(values.mean())
    # an axis of length one cannot be resampled
    deviations = [values.mean(axis=axis) - mean for axis in (1, 0) if values.shape[1 - axis] > 1]
    if not deviations:
        return Interval(mean, np.nan, np.nan, seeds, videos)
    errors, sizes = [squared_error(each) for each in deviations], [len(each) for each in deviations]
    if not any(errors):
        return Interval(mean, mean, mean, seeds, videos)
    low, high = _percentiles([each * math.sqrt(len(each) / (len(each) - 1)) for each in deviations])
    wider = quantile(errors, sizes) / stats.norm.ppf((1 + CONFIDENCE) / 2)
    return Interval(mean, mean + wider * low, mean + wider * high, seeds, videos)


def squared_error(values: NDArray[np.float64]) -> float:
    """Squared standard error of the mean of ``values`` (n,)."""
    return float(values.var(ddof=1) / len(values))


def quantile(errors: Sequence[float], sizes: Sequence[int]) -> float:
    """Student's t for ``CONFIDENCE`` of a sum of means with squared standard ``errors``, not all 0.

    Degrees of freedom after Welch and Satterthwaite; ``sizes``: how many values each error comes from.
    """
    spread = sum(error**2 / (size - 1) for error, size in zip(errors, sizes, strict=True))
    return float(stats.t.ppf((1 + CONFIDENCE) / 2, sum(errors) ** 2 / spread))


def _percentiles(samples: Sequence[NDArray[np.float64]]) -> tuple[float, float]:
    """Of the sum of the means, each sample resampled by itself; as ``scipy.stats.bootstrap``, but faster."""
    means = sum(_drawn(len(each), place, RESAMPLES) @ each / len(each) for place, each in enumerate(samples))
    low, high = np.quantile(means, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


@lru_cache(maxsize=4)
def _drawn(size: int, place: int, resamples: int) -> NDArray[np.uint16]:
    """How often each of the resamples holds each of ``size`` values: (resamples, size); by ``place`` others.

    Kept, as drawing takes far longer than the means.
    """
    counts = np.random.default_rng(place).multinomial(size, np.full(size, 1 / size), resamples)
    return counts.astype(np.uint16)
