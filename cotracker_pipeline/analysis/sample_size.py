"""How many seeds and videos would decide what this many do not."""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cotracker_pipeline.analysis.statistics import quantile

MOST_SEEDS = 50
MOST_VIDEOS = 10_000


class Spread(NamedTuple):
    """Variances of what a single number deviates by: of its seed, of its video, and of neither."""

    seed: float
    video: float
    rest: float

    def half_width(self, seeds: int, videos: int) -> float:
        """Of the interval that ``statistics.mean_interval`` is expected to give; both numbers at least 1."""
        errors, sizes = [], []
        for own, count, others in ((self.seed, seeds, videos), (self.video, videos, seeds)):
            if count > 1:
                errors.append((own + self.rest / others) / count)
                sizes.append(count)
        return quantile(errors, sizes) * math.sqrt(sum(errors)) if any(errors) else 0.0


class Sample(NamedTuple):
    """So many trainings of each variant, evaluated on so many videos."""

    seeds: int
    videos: int


def spread_of(values: NDArray[np.float64]) -> Spread:
    """The variances in ``values`` (seeds, videos), by an analysis of variance of two ways.

    Of one seed or one video nothing tells the rest from what is left: the rest is 0 then.
    """
    rows, columns = values.mean(axis=1), values.mean(axis=0)
    seeds, videos = values.shape
    residual = values - rows[:, None] - columns + values.mean()
    rest = float((residual**2).sum()) / max(1, (seeds - 1) * (videos - 1))
    return Spread(
        max(0.0, _variance(rows) - rest / videos), max(0.0, _variance(columns) - rest / seeds), rest
    )


def sample_needed(values: NDArray[np.float64], half_width: float) -> Sample | None:
    """The fewest evaluations whose interval is expected to be narrower than ``half_width``.

    Neither seeds nor videos become fewer than those of ``values`` (seeds, videos). None where ``MOST_SEEDS``
    and ``MOST_VIDEOS`` would not do, or where nothing spreads.
    """
    spread = spread_of(values)
    if not any(spread):
        return None
    enough = (
        Sample(seeds, videos)
        for seeds in range(values.shape[0], MOST_SEEDS + 1)
        for videos in _counts(values.shape[1])
        if (seeds, videos) != values.shape and spread.half_width(seeds, videos) < half_width
    )
    return min(enough, key=lambda sample: sample.seeds * sample.videos, default=None)


def _counts(first: int) -> Iterator[int]:
    """Numbers of videos, a quarter more each."""
    while first <= MOST_VIDEOS:
        yield first
        first = math.ceil(1.25 * first)


def _variance(values: NDArray[np.float64]) -> float:
    return float(values.var(ddof=1)) if len(values) > 1 else 0.0
