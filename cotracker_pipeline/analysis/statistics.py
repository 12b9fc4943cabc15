"""Means and paired differences over videos and seeds, with bootstrap intervals."""

from dataclasses import dataclass
from functools import partial

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


def paired_difference(runs: pd.DataFrame, baseline: pd.DataFrame, metric: str) -> Interval:
    """Mean of ``runs`` minus ``baseline`` over the seeds and videos that both have.

    Args:
        runs: one row a seed and video of one variant and query mode; columns seed, video and ``metric``.
        baseline: the same for the variant to compare with.
        metric: name of the column.
    """
    difference = metric_matrix(runs, metric) - metric_matrix(baseline, metric)
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
    axes = [axis for axis, size in enumerate(values.shape) if size > 1]
    if not axes:
        return Interval(mean, np.nan, np.nan, seeds, videos)
    # an axis of length one cannot be resampled: average over it
    values = values.mean(axis=tuple({0, 1} - set(axes)))
    result = stats.bootstrap(
        [np.arange(size) for size in values.shape],
        partial(_mean_of_drawn, values),
        n_resamples=RESAMPLES,
        confidence_level=CONFIDENCE,
        method="percentile",
        vectorized=True,
        batch=500,
        rng=np.random.default_rng(0),
    )
    interval = result.confidence_interval
    return Interval(mean, float(interval.low), float(interval.high), seeds, videos)


def _mean_of_drawn(values: NDArray[np.float64], *drawn: NDArray[np.int64], axis: int) -> NDArray[np.float64]:
    """Mean over the drawn rows and columns; indices (..., n) for each axis of ``values``, n at ``axis``."""
    if len(drawn) == 1:
        return np.asarray(values[drawn[0]].mean(axis=axis))
    rows, columns = (np.moveaxis(indices, axis, -1) for indices in drawn)
    return np.asarray(values[rows[..., :, None], columns[..., None, :]].mean(axis=(-2, -1)))
