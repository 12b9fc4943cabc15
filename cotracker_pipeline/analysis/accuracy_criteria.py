"""Criteria that evaluations and loss curves at the trained scale decide."""

import math
from typing import Literal

import numpy as np
import pandas as pd
from pydantic import Field

from cotracker_pipeline.analysis.evidence import METRICS, Evidence
from cotracker_pipeline.analysis.memory_criteria import Names
from cotracker_pipeline.analysis.outcomes import Limits, Outcome, combine
from cotracker_pipeline.analysis.statistics import Interval, mean_interval, metric_matrix, paired_difference
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

    def decide(self, difference: Interval) -> Literal["holds", "does not hold", "not decided"]:
        """Compare the interval of the difference with the margin."""
        raise NotImplementedError

    def _judge(self, name: str, evidence: Evidence, limits: Limits) -> Outcome:
        accuracy = evidence.accuracy[evidence.accuracy["query_mode"] == self.query_mode]
        runs = accuracy[accuracy["variant"] == name]
        baseline = accuracy[accuracy["variant"] == "baseline"]
        if runs.empty or baseline.empty:
            return Outcome("not decided", "", f"variant {name} trained and evaluated in the study")
        difference = paired_difference(runs, baseline, self.metric)
        numbers = f"{METRICS[self.metric]} of {name} {in_points(difference)} points against the baseline"
        missing = _too_few_seeds(difference, limits) or self._no_higher_than_static(baseline, evidence)
        if missing:
            return Outcome("not decided", numbers, missing)
        status = self.decide(difference)
        takes = self._videos_needed(difference) if status == "not decided" else ""
        return Outcome(status, numbers, takes)

    def _no_higher_than_static(self, baseline: pd.DataFrame, evidence: Evidence) -> str:
        """Differences between models that have learned nothing say nothing."""
        floors = evidence.floors
        static = floors[(floors["baseline"] == "static") & (floors["query_mode"] == self.query_mode)]
        if static.empty or baseline[self.metric].mean() > static[self.metric].mean():
            return ""
        return f"a training whose baseline rises above the static floor in {METRICS[self.metric]}"

    def _videos_needed(self, difference: Interval) -> str:
        """How many videos would bring the interval to one side of the margin, at the spread seen."""
        distance = abs(difference.mean + self.margin)
        if not (distance and math.isfinite(difference.half_width)):
            return "more videos and seeds"
        videos = math.ceil(difference.videos * (difference.half_width / distance) ** 2)
        return f"about {videos} videos at the spread seen ({difference.videos} given)"


class NonInferior(AccuracyCriterion):
    """The variant loses less than the margin."""

    kind: Literal["non-inferior"]

    def decide(self, difference: Interval) -> Literal["holds", "does not hold", "not decided"]:
        if difference.low > -self.margin:
            return "holds"
        return "does not hold" if difference.high < -self.margin else "not decided"


class Inferior(AccuracyCriterion):
    """The variant is worse than the baseline; a loss within the margin does not count."""

    kind: Literal["inferior"]

    def decide(self, difference: Interval) -> Literal["holds", "does not hold", "not decided"]:
        if difference.low > -self.margin:
            return "does not hold"
        return "holds" if difference.high < 0 else "not decided"


class ConvergesAlike(Section):
    """The training loss, at the end, is that of the baseline within a tolerance."""

    kind: Literal["converges-alike"]
    variants: Names
    tolerance: float = Field(gt=0, lt=1, description="largest relative difference; 0.1 is 10 %")
    last: float = Field(0.25, gt=0, le=1, description="share of the logged steps, from the end, compared")

    def judge(self, evidence: Evidence, limits: Limits) -> Outcome:
        """Decide from ``evidence.losses``: mean log ratio over the same seeds and steps."""
        return combine(self._judge(name, evidence, limits) for name in self.variants)

    def _judge(self, name: str, evidence: Evidence, limits: Limits) -> Outcome:
        ratios = self._log_ratios(evidence.losses, name)
        if not ratios.size:
            return Outcome("not decided", "", f"loss curves of {name} and baseline over the same steps")
        ratio = mean_interval(ratios)
        numbers = (
            f"final loss of {name} over the baseline's {math.exp(ratio.mean):.3f} "
            f"[{math.exp(ratio.low):.3f}, {math.exp(ratio.high):.3f}]"
        )
        missing = _too_few_seeds(ratio, limits)
        if missing:
            return Outcome("not decided", numbers, missing)
        bound = math.log1p(self.tolerance)
        if -bound < ratio.low and ratio.high < bound:
            return Outcome("holds", numbers)
        if ratio.high < -bound or ratio.low > bound:
            return Outcome("does not hold", numbers)
        return Outcome("not decided", numbers, "more seeds or longer training")

    def _log_ratios(self, losses: pd.DataFrame, name: str) -> np.ndarray:
        """Log of the loss over the baseline's: (seeds, last logged steps)."""
        ours = metric_matrix(losses[losses["variant"] == name], "loss", column="step")
        baseline = metric_matrix(losses[losses["variant"] == "baseline"], "loss", column="step")
        ratios = (
            (ours / baseline).dropna(axis="index", how="all").dropna(axis="columns").to_numpy(dtype=float)
        )
        first = math.floor(ratios.shape[1] * (1 - self.last))
        return np.asarray(np.log(ratios[:, first:]))


def in_points(difference: Interval) -> str:
    """A difference of shares in points (hundredths) with its interval."""
    return f"{100 * difference.mean:+.1f} [{100 * difference.low:+.1f}, {100 * difference.high:+.1f}]"


def _too_few_seeds(interval: Interval, limits: Limits) -> str:
    if interval.seeds >= limits.seeds:
        return ""
    return (
        f"at least {limits.seeds} seeds ({interval.seeds} given), since another training may move the number"
    )
