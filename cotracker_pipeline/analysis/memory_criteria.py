"""Criteria that predictions at the true size decide."""

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, model_validator

from cotracker_pipeline.analysis.evidence import Evidence, Prediction
from cotracker_pipeline.analysis.outcomes import Limits, Outcome, combine, decided
from cotracker_pipeline.config import Section
from cotracker_pipeline.units import GB, GIB

Names = Annotated[tuple[str, ...], Field(min_length=1)]


class MemoryCriterion(Section):
    """A criterion about ``variants``; it is not decided while one of them has no prediction."""

    variants: Names

    def judge(self, evidence: Evidence, limits: Limits) -> Outcome:  # noqa: ARG002
        """Decide from ``evidence.predictions``."""
        missing = [name for name in self.compared() if name not in evidence.predictions]
        if missing:
            return Outcome("not decided", "", f"variant {', '.join(missing)} in the study")
        return self.decide(evidence)

    def compared(self) -> Names:
        """The variants whose predictions the criterion reads."""
        return (*self.variants, "baseline")

    def decide(self, evidence: Evidence) -> Outcome:
        """Decide, every prediction being there."""
        raise NotImplementedError


class _Card(MemoryCriterion):
    card_gib: float = Field(gt=0, description="memory of the card in GiB; an RTX 3090 has 24")

    def compared(self) -> Names:
        return self.variants

    def needs(self, prediction: Prediction) -> str:
        return (
            f"{prediction.variant} needs a card of {prediction.smallest_card_bytes / GB:.1f} GB "
            f"({prediction.allowance_bytes / GB:.1f} GB for context and libraries included), "
            f"{self.card_gib:g} GiB are {self.card_gib * GIB / GB:.1f} GB"
        )

    def fits(self, prediction: Prediction) -> bool:
        return prediction.smallest_card_bytes <= self.card_gib * GIB


class FitsCard(_Card):
    """Every variant trains on a card."""

    kind: Literal["fits-card"]

    def decide(self, evidence: Evidence) -> Outcome:
        predictions = [evidence.predictions[name] for name in self.variants]
        return combine(decided(self.fits(one), self.needs(one)) for one in predictions)


class ExceedsCard(_Card):
    """No variant trains on a card."""

    kind: Literal["exceeds-card"]

    def decide(self, evidence: Evidence) -> Outcome:
        predictions = [evidence.predictions[name] for name in self.variants]
        return combine(decided(not self.fits(one), self.needs(one)) for one in predictions)


class _Range(MemoryCriterion):
    low: float = Field(description="least value that the claim allows")
    high: float = Field(description="largest value that the claim allows")

    @model_validator(mode="after")
    def _ordered(self) -> "_Range":
        if self.low > self.high:
            raise ValueError(f"low {self.low:g} must not exceed high {self.high:g}")
        return self

    def within(self, value: float, numbers: str) -> Outcome:
        return decided(self.low <= value <= self.high, numbers)


class SavingBetween(_Range):
    """The share of the baseline's training peak that a variant saves lies in a range (0.3: 30 %)."""

    kind: Literal["saving-between"]

    def decide(self, evidence: Evidence) -> Outcome:
        return combine(self._saving(evidence, name) for name in self.variants)

    def _saving(self, evidence: Evidence, name: str) -> Outcome:
        before = evidence.predictions["baseline"].peak_allocated_bytes
        after = evidence.predictions[name].peak_allocated_bytes
        saving = 1 - after / before
        return self.within(
            saving,
            f"{name} saves {saving:.1%} of the training peak ({before / GB:.2f} to {after / GB:.2f} GB)",
        )


class FlopsRatio(_Range):
    """The floating-point operations of a step, over the baseline's, lie in a range."""

    kind: Literal["flops-ratio"]

    def decide(self, evidence: Evidence) -> Outcome:
        return combine(self._ratio(evidence, name) for name in self.variants)

    def _ratio(self, evidence: Evidence, name: str) -> Outcome:
        ratio = evidence.predictions[name].flops / evidence.predictions["baseline"].flops
        return self.within(ratio, f"{name} computes {ratio:.3f} times the operations of the baseline")


class InferenceRatio(_Range):
    """The inference peak over the baseline's lies in a range, at every video length and track count."""

    kind: Literal["inference-ratio"]

    def decide(self, evidence: Evidence) -> Outcome:
        return combine(self._ratios(evidence, name) for name in self.variants)

    def _ratios(self, evidence: Evidence, name: str) -> Outcome:
        before = _peaks(evidence.predictions["baseline"])
        after = _peaks(evidence.predictions[name])
        common = [case for case in before if case in after]
        if not common:
            return Outcome("not decided", "", f"inference peaks of {name} and baseline for the same videos")
        return combine(self._ratio(name, case, before[case], after[case]) for case in common)

    def _ratio(self, name: str, case: tuple[int, int, int], before: int, after: int) -> Outcome:
        frames, tracks, _ = case
        return self.within(
            after / before,
            f"{name} takes {after / before:.2f} of the inference peak for {frames} frames and {tracks} "
            f"tracks ({before / GB:.2f} to {after / GB:.2f} GB)",
        )


class DescendingPeaks(MemoryCriterion):
    """Each variant takes less memory in training than the one before it."""

    kind: Literal["descending-peaks"]

    def compared(self) -> Names:
        return self.variants

    def decide(self, evidence: Evidence) -> Outcome:
        peaks = [evidence.predictions[name].peak_allocated_bytes for name in self.variants]
        steps = ", ".join(f"{name} {peak / GB:.2f}" for name, peak in zip(self.variants, peaks, strict=True))
        return decided(
            all(after < before for before, after in pairwise(peaks)), f"training peaks in GB: {steps}"
        )


def _peaks(prediction: Prediction) -> dict[tuple[int, int, int], int]:
    return {
        (peak.frames, peak.tracks, peak.iterations): peak.peak_allocated_bytes
        for peak in prediction.inference
    }
