"""The criterion that step times of interleaved runs decide."""

import math
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cotracker_pipeline.analysis.evidence import Evidence
from cotracker_pipeline.analysis.memory_criteria import Between, Names
from cotracker_pipeline.analysis.outcomes import Limits, Outcome, combine, compared
from cotracker_pipeline.analysis.sample_size import MOST_SEEDS, sample_needed
from cotracker_pipeline.analysis.statistics import Interval, mean_interval

MISSING = "step times of interleaved runs at the true size (step_times of the study)"


class TimeRatio(Between):
    """The time of a step over the baseline's lies in a range, on every device that was timed.

    A round times every variant once, one after the other, so that the machine is in the same state for all:
    each round gives one ratio, of medians over its steps. Rounds are the sample; means are of logarithms.
    """

    kind: Literal["time-ratio"]
    variants: Names

    def judge(self, evidence: Evidence, limits: Limits) -> Outcome:  # noqa: ARG002
        """Decide from ``evidence.step_times``."""
        return combine(self._judge(evidence.step_times, name) for name in self.variants)

    def _judge(self, times: pd.DataFrame, name: str) -> Outcome:
        ratios = {device: _log_ratios(rows, name) for device, rows in times.groupby("device")}
        measured = {device: values for device, values in ratios.items() if values.size}
        if not measured:
            return Outcome("not decided", "", f"{MISSING} of {name} and baseline")
        return combine(self._of(name, str(device), values) for device, values in measured.items())

    def _of(self, name: str, device: str, ratios: NDArray[np.float64]) -> Outcome:
        interval = mean_interval(ratios)
        numbers = (
            f"a step of {name} takes {_in_words(interval)} times as long as the baseline's on {device} "
            f"({interval.seeds} rounds)"
        )
        if math.isnan(interval.low):
            return Outcome("not decided", numbers, "at least 2 rounds of interleaved runs (1 given)")
        status = compared(math.exp(interval.low), math.exp(interval.high), self.low, self.high)
        return Outcome(status, numbers, self._takes(ratios) if status == "not decided" else "")

    def _takes(self, ratios: NDArray[np.float64]) -> str:
        nearest = min(abs(ratios.mean() - math.log(bound)) for bound in (self.low, self.high) if bound > 0)
        sample = sample_needed(ratios, nearest)
        rounds = f"more than {MOST_SEEDS}" if sample is None else f"about {sample.seeds}"
        return f"{rounds} rounds of interleaved runs at the spread seen ({len(ratios)} given)"


def _log_ratios(times: pd.DataFrame, name: str) -> NDArray[np.float64]:
    """Logarithm of the time over the baseline's, of every round that has both: (rounds, 1)."""
    medians = times.groupby(["round", "variant"])["seconds"].median().unstack("variant")
    if not {name, "baseline"} <= set(medians):
        return np.empty((0, 1))
    ratios = (medians[name] / medians["baseline"]).dropna().to_numpy(dtype=np.float64)
    return np.log(ratios)[:, None]


def _in_words(interval: Interval) -> str:
    mean = f"{math.exp(interval.mean):.2f}"
    if math.isnan(interval.low):
        return mean
    return f"{mean} [{math.exp(interval.low):.2f}, {math.exp(interval.high):.2f}]"
