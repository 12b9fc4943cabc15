"""Means and paired differences over videos and seeds, with bootstrap intervals."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

CONFIDENCE = 0.95
RESAMPLES = 9999
BATCH = 500


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


def paired_difference(runs: pd.DataFrame, baseline: pd.DataFrame, metric: str) -> Interval:
    """Mean of ``runs`` minus ``baseline`` over the seeds and videos that both have.

    Args:
        runs: one row a seed and video of one variant and query mode; columns seed, video and ``metric``.
        baseline: the same for the variant to compare with.
        metric: name of the column.
    """
    return difference_of_matrices(metric_matrix(runs, metric), metric_matrix(baseline, metric))


def difference_of_matrices(ours: pd.DataFrame, baseline: pd.DataFrame) -> Interval:
    """The same of two ``metric_matrix``."""
    difference = ours - baseline
    return mean_interval(difference.dropna(axis="index", how="all").dropna(axis="columns").to_numpy())


def mean_interval(values: NDArray[np.float64]) -> Interval:
    """Mean of ``values`` (seeds, videos) with a percentile bootstrap interval.

    Seeds and videos are resampled independently of each other, since every seed saw the same videos. The
    resampling is seeded: the same values give the same interval.
    """
    seeds, videos = values.shape
    if values.size == 0:
        return Interval(np.nan, np.nan, np.nan, seeds, videos)
    mean = float(values.mean())
    if values.size == 1:
        return Interval(mean, np.nan, np.nan, seeds, videos)
    low, high = np.quantile(_resampled_means(values), [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Interval(mean, float(low), float(high), seeds, videos)


def _resampled_means(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean of ``values`` (seeds, videos) in every resample: (RESAMPLES,)."""
    of_seeds, of_videos = _drawn(*values.shape)
    means = np.empty(RESAMPLES)
    # in parts: the counts of thousands of videos need not be there as floats all at once
    for start in range(0, RESAMPLES, BATCH):
        part = slice(start, start + BATCH)
        means[part] = ((of_seeds[part] @ values) * of_videos[part]).sum(axis=1)
    return means / values.size


@lru_cache(maxsize=4)
def _drawn(seeds: int, videos: int) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
    """How often every resample holds every seed, and every video: (RESAMPLES, seeds), (RESAMPLES, videos).

    The same for all values of a shape, which is why they are kept: drawing takes far longer than the means.
    """
    rng = np.random.default_rng(0)
    of_seeds, of_videos = (
        rng.multinomial(size, np.full(size, 1 / size), RESAMPLES).astype(np.uint16)
        for size in (seeds, videos)
    )
    return of_seeds, of_videos
