"""Criteria that evaluations and loss curves at the trained scale decide."""

import math
from typing import Literal

import numpy as np
import pandas as pd
from pydantic import Field

from cotracker_pipeline.analysis.evidence import METRICS, Evidence
from cotracker_pipeline.analysis.memory_criteria import Names
from cotracker_pipeline.analysis.outcomes import Limits, Outcome, Status, combine
from cotracker_pipeline.analysis.sample_size import MOST_SEEDS, MOST_VIDEOS, sample_needed
from cotracker_pipeline.analysis.statistics import (
    Interval,
    mean_interval,
    metric_matrix,
    paired_differences,
)
from cotracker_pipeline.config import Section


class AccuracyCriterion(Section):
    """A criterion about the paired accuracy difference of ``variants`` to the baseline."""

    variants: Names
    metric: Literal["average_jaccard", "average_pts_within_thresh", "occlusion_accuracy"]
    query_mode: Literal["first", "strided"] = "first"
    margin: float = Field(gt=0, lt=1, description="largest loss that does not count; 0.01 is one point")

    def judge(self, evidence: Evidence, limits: Limits) -> Outcome:
        """Decide from ``evidence.accuracy`` and the static floor in ``evidence.floors``."""
        return combine(self._judge(name, evidence, limits) for name in self.variants)

    def decide(self, difference: Interval) -> Status:
        """Compare the interval of the difference with the margin."""
        raise NotImplementedError

    def decisive(self, mean: float) -> float:
        """Half the width of the widest interval around ``mean`` that decides."""
        raise NotImplementedError

    def _judge(self, name: str, evidence: Evidence, limits: Limits) -> Outcome:
        accuracy = evidence.accuracy[evidence.accuracy["query_mode"] == self.query_mode]
        runs = accuracy[accuracy["variant"] == name]
        baseline = accuracy[accuracy["variant"] == "baseline"]
        if runs.empty or baseline.empty:
            return Outcome("not decided", "", f"variant {name} trained and evaluated in the study")
        differences = paired_differences(runs, baseline, self.metric)
        difference = mean_interval(differences)
        numbers = f"{METRICS[self.metric]} of {name} {in_points(difference)} points against the baseline"
        missing = _too_few_seeds(difference, limits) or self._no_higher_than_static(baseline, evidence)
        if missing:
            return Outcome("not decided", numbers, missing)
        status = self.decide(difference)
        takes = _more(differences, self.decisive(difference.mean)) if status == "not decided" else ""
        return Outcome(status, numbers, takes)

    def _no_higher_than_static(self, baseline: pd.DataFrame, evidence: Evidence) -> str:
        """Differences between models that have learned nothing say nothing."""
        floors = evidence.floors
        static = floors[(floors["baseline"] == "static") & (floors["query_mode"] == self.query_mode)]
        if static.empty or baseline[self.metric].mean() > static[self.metric].mean():
            return ""
        return f"a training whose baseline rises above the static floor in {METRICS[self.metric]}"


class NonInferior(AccuracyCriterion):
    """The variant loses less than the margin: the interval of its difference lies above -margin.

    Of variants that lose just the margin, at most one in forty is called non-inferior: the interval is a 95 %
    one of two sides.
    """

    kind: Literal["non-inferior"]

    def decide(self, difference: Interval) -> Status:
        if difference.low > -self.margin:
            return "holds"
        return "does not hold" if difference.high < -self.margin else "not decided"

    def decisive(self, mean: float) -> float:
        return abs(mean + self.margin)


class Inferior(AccuracyCriterion):
    """The variant is worse than the baseline; a loss within the margin does not count."""

    kind: Literal["inferior"]

    def decide(self, difference: Interval) -> Status:
        if difference.low > -self.margin:
            return "does not hold"
        return "holds" if difference.high < 0 else "not decided"

    def decisive(self, mean: float) -> float:
        return max(-mean, mean + self.margin)


class ConvergesAlike(Section):
    """The training loss, at the end, is that of the baseline within a tolerance."""

    kind: Literal["converges-alike"]
    variants: Names
    tolerance: float = Field(gt=0, lt=1, description="largest relative difference; 0.1 is 10 %")
    last: float = Field(0.25, gt=0, le=1, description="share of the logged steps, from the end, compared")

    def judge(self, evidence: Evidence, limits: Limits) -> Outcome:
        """Decide from ``evidence.losses``: log ratio over the same steps, its mean over the seeds."""
        return combine(self._judge(name, evidence, limits) for name in self.variants)

    def _judge(self, name: str, evidence: Evidence, limits: Limits) -> Outcome:
        ratios = self._log_ratios(evidence.losses, name)
        if not ratios.size:
            return Outcome("not decided", "", f"loss curves of {name} and baseline over the same steps")
        ratio = mean_interval(ratios)
        numbers = (
            f"final loss of {name} over the baseline's {math.exp(ratio.mean):.3f}"
            f"{between(math.exp(ratio.low), math.exp(ratio.high), '.3f')}"
        )
        missing = _too_few_seeds(ratio, limits)
        if missing:
            return Outcome("not decided", numbers, missing)
        bound = math.log1p(self.tolerance)
        if -bound < ratio.low and ratio.high < bound:
            return Outcome("holds", numbers)
        if ratio.high < -bound or ratio.low > bound:
            return Outcome("does not hold", numbers)
        return Outcome("not decided", numbers, _more(ratios, abs(bound - abs(ratio.mean))))

    def _log_ratios(self, losses: pd.DataFrame, name: str) -> np.ndarray:
        """Log of the loss over the baseline's, of each seed the mean over the last logged steps: (seeds, 1).

        The steps of one training are no sample: what moves one of them moves its neighbours.
        """
        ours = metric_matrix(losses[losses["variant"] == name], "loss", column="step")
        baseline = metric_matrix(losses[losses["variant"] == "baseline"], "loss", column="step")
        ratios = (
            (ours / baseline).dropna(axis="index", how="all").dropna(axis="columns").to_numpy(dtype=float)
        )
        first = math.floor(ratios.shape[1] * (1 - self.last))
        if not ratios.size:
            return ratios
        return np.asarray(np.log(ratios[:, first:]).mean(axis=1, keepdims=True))


def in_points(difference: Interval) -> str:
    """A difference of shares in points (hundredths) with its interval, where there is one."""
    return f"{100 * difference.mean:+.1f}{between(100 * difference.low, 100 * difference.high, '+.1f')}"


def between(low: float, high: float, style: str) -> str:
    """An interval in brackets behind its mean; nothing where there is none."""
    return "" if math.isnan(low) else f" [{low:{style}}, {high:{style}}]"


def _too_few_seeds(interval: Interval, limits: Limits) -> str:
    if interval.seeds >= limits.seeds and not math.isnan(interval.low):
        return ""
    seeds = max(2, limits.seeds)
    return f"at least {seeds} seeds ({interval.seeds} given), since another training may move the number"


def _more(values: np.ndarray, half_width: float) -> str:
    """What would narrow the interval of ``values`` (seeds, videos) below ``half_width``."""
    sample = sample_needed(values, half_width)
    if sample is None:
        return f"more than {MOST_SEEDS} seeds or {MOST_VIDEOS} videos: the number lies next to the bound"
    seeds, videos = values.shape
    given = f"{seeds} seeds" + (f" and {videos} videos" if videos > 1 else "")
    asked = f"{sample.seeds} seeds" + (f" and {sample.videos} videos" if videos > 1 else "")
    return f"about {asked} at the spread seen ({given} given)"
