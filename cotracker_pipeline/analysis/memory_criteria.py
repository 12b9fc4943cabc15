"""Criteria that predictions at the true size decide.

Predictions are off by a little, by at most what ``Limits`` says of them: a number is an interval, and what it
leaves open is not decided.
"""

import math
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, model_validator

from cotracker_pipeline.analysis.evidence import Evidence, Prediction
from cotracker_pipeline.analysis.outcomes import Limits, Outcome, Status, combine, compared, decided
from cotracker_pipeline.config import Section
from cotracker_pipeline.units import GB, GIB

Names = Annotated[tuple[str, ...], Field(min_length=1)]

TAKES = "a measurement on a GPU: the prediction is too near to the bound"


class MemoryCriterion(Section):
    """A criterion about ``variants``; it is not decided while one of them has no prediction."""

    variants: Names

    def judge(self, evidence: Evidence, limits: Limits) -> Outcome:
        """Decide from ``evidence.predictions``."""
        missing = [name for name in self.compared() if name not in evidence.predictions]
        if missing:
            return Outcome("not decided", "", f"variant {', '.join(missing)} in the study")
        return self.decide(evidence, limits)

    def compared(self) -> Names:
        """The variants whose predictions the criterion reads."""
        return (*self.variants, "baseline")

    def decide(self, evidence: Evidence, limits: Limits) -> Outcome:
        """Decide, every prediction being there."""
        raise NotImplementedError


class _Card(MemoryCriterion):
    card_gib: float = Field(gt=0, description="memory of the card in GiB; an RTX 3090 has 24")

    def compared(self) -> Names:
        return self.variants

    def decide(self, evidence: Evidence, limits: Limits) -> Outcome:
        return combine(self._judge(evidence.predictions[name], limits) for name in self.variants)

    def judge_need(self, low: float, high: float) -> Status:
        """Decide by the bytes of the smallest card, which lie between two numbers."""
        raise NotImplementedError

    @property
    def card_bytes(self) -> float:
        return self.card_gib * GIB

    def _judge(self, prediction: Prediction, limits: Limits) -> Outcome:
        need, error = prediction.smallest_card_bytes, limits.card_error
        status = self.judge_need(need * (1 - error), need * (1 + error))
        return _outcome(
            status,
            f"{prediction.variant} needs a card of {need / GB:.1f} GB "
            f"({prediction.allowance_bytes / GB:.1f} GB for context and libraries included), "
            f"{self.card_gib:g} GiB are {self.card_bytes / GB:.1f} GB",
        )


class FitsCard(_Card):
    """Every variant trains on a card."""

    kind: Literal["fits-card"]

    def judge_need(self, low: float, high: float) -> Status:
        return compared(low, high, 0, self.card_bytes)


class ExceedsCard(_Card):
    """No variant trains on a card."""

    kind: Literal["exceeds-card"]

    def judge_need(self, low: float, high: float) -> Status:
        return compared(low, high, math.nextafter(self.card_bytes, math.inf), math.inf)


class Between(Section):
    """A range that a claim allows."""

    low: float = Field(description="least value that the claim allows")
    high: float = Field(description="largest value that the claim allows")

    @model_validator(mode="after")
    def _ordered(self) -> "Between":
        if self.low > self.high:
            raise ValueError(f"low {self.low:g} must not exceed high {self.high:g}")
        return self


class SavingBetween(Between, MemoryCriterion):
    """The share of the baseline's training peak that a variant saves lies in a range (0.3: 30 %)."""

    kind: Literal["saving-between"]

    def decide(self, evidence: Evidence, limits: Limits) -> Outcome:
        return combine(self._saving(evidence, name, limits) for name in self.variants)

    def _saving(self, evidence: Evidence, name: str, limits: Limits) -> Outcome:
        before = evidence.predictions["baseline"].peak_allocated_bytes
        after = evidence.predictions[name].peak_allocated_bytes
        least, most = _ratio(after, before, limits.training_peak_error)
        low, high = 1 - most, 1 - least
        return _outcome(
            compared(low, high, self.low, self.high),
            f"{name} saves {1 - after / before:.1%} [{100 * low:.1f}, {100 * high:.1f}] of the training peak "
            f"({before / GB:.2f} to {after / GB:.2f} GB)",
        )


class FlopsRatio(Between, MemoryCriterion):
    """The floating-point operations of a step, over the baseline's, lie in a range. They are counted."""

    kind: Literal["flops-ratio"]

    def decide(self, evidence: Evidence, limits: Limits) -> Outcome:  # noqa: ARG002
        return combine(self._of(evidence, name) for name in self.variants)

    def _of(self, evidence: Evidence, name: str) -> Outcome:
        ratio = evidence.predictions[name].flops / evidence.predictions["baseline"].flops
        holds = self.low <= ratio <= self.high
        return decided(holds, f"{name} computes {ratio:.3f} times the operations of the baseline")


class InferenceRatio(Between, MemoryCriterion):
    """The inference peak over the baseline's lies in a range, at every video length and track count."""

    kind: Literal["inference-ratio"]

    def decide(self, evidence: Evidence, limits: Limits) -> Outcome:
        return combine(self._ratios(evidence, name, limits) for name in self.variants)

    def _ratios(self, evidence: Evidence, name: str, limits: Limits) -> Outcome:
        before = _peaks(evidence.predictions["baseline"])
        after = _peaks(evidence.predictions[name])
        common = [case for case in before if case in after]
        if not common:
            return Outcome("not decided", "", f"inference peaks of {name} and baseline for the same videos")
        error = limits.inference_peak_error
        return combine(self._of(name, case, before[case], after[case], error) for case in common)

    def _of(self, name: str, case: tuple[int, int, int], before: int, after: int, error: float) -> Outcome:
        frames, tracks, _ = case
        return _outcome(
            compared(*_ratio(after, before, error), self.low, self.high),
            f"{name} takes {after / before:.2f} of the inference peak for {frames} frames and {tracks} "
            f"tracks ({before / GB:.2f} to {after / GB:.2f} GB)",
        )


class DescendingPeaks(MemoryCriterion):
    """Each variant takes less memory in training than the one before it."""

    kind: Literal["descending-peaks"]

    def compared(self) -> Names:
        return self.variants

    def decide(self, evidence: Evidence, limits: Limits) -> Outcome:
        peaks = [evidence.predictions[name].peak_allocated_bytes for name in self.variants]
        ratios = [_ratio(after, before, limits.training_peak_error) for before, after in pairwise(peaks)]
        below_one = math.nextafter(1, 0)
        steps = ", ".join(f"{name} {peak / GB:.2f}" for name, peak in zip(self.variants, peaks, strict=True))
        status = combine(_outcome(compared(*ratio, 0, below_one), "") for ratio in ratios).status
        return _outcome(status, f"training peaks in GB: {steps}")


def _ratio(after: float, before: float, error: float) -> tuple[float, float]:
    """Bounds of the ratio of two numbers, each off by at most the share ``error``."""
    return after * (1 - error) / (before * (1 + error)), after * (1 + error) / (before * (1 - error))


def _outcome(status: Status, numbers: str) -> Outcome:
    return Outcome(status, numbers, TAKES if status == "not decided" else "")


def _peaks(prediction: Prediction) -> dict[tuple[int, int, int], int]:
    return {
        (peak.frames, peak.tracks, peak.iterations): peak.peak_allocated_bytes
        for peak in prediction.inference
    }
