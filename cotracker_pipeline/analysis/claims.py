"""The article's claims as data, and the verdict on each."""

from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import pandas as pd
from pydantic import Field

from cotracker_pipeline.analysis.accuracy_criteria import ConvergesAlike, Inferior, NonInferior
from cotracker_pipeline.analysis.evidence import Evidence
from cotracker_pipeline.analysis.memory_criteria import (
    DescendingPeaks,
    ExceedsCard,
    FitsCard,
    FlopsRatio,
    InferenceRatio,
    SavingBetween,
)
from cotracker_pipeline.analysis.outcomes import Limits, Outcome, combine
from cotracker_pipeline.analysis.time_criteria import TimeRatio
from cotracker_pipeline.config import Name, Section, parse_section, read_yaml


class Pending(Section):
    """Nothing in this study can decide it."""

    kind: Literal["pending"]
    takes: str = Field(description="what a decision would take")

    def judge(self, evidence: Evidence, limits: Limits) -> Outcome:  # noqa: ARG002
        """Always not decided."""
        return Outcome("not decided", "", self.takes)


Criterion = Annotated[
    FitsCard
    | ExceedsCard
    | SavingBetween
    | FlopsRatio
    | TimeRatio
    | InferenceRatio
    | DescendingPeaks
    | NonInferior
    | Inferior
    | ConvergesAlike
    | Pending,
    Field(discriminator="kind"),
]


class Claim(Section):
    """One statement and the criteria that it stands and falls with."""

    id: Name
    statement: str
    decided_by: tuple[Criterion, ...] = Field(min_length=1)


class ClaimsFile(Section):
    """The content of ``config/claims.yaml``."""

    limits: Limits = Limits()
    claims: tuple[Claim, ...]


class Verdict(NamedTuple):
    """A claim and what became of it; ``outcomes`` has one entry a criterion."""

    claim: Claim
    verdict: Outcome
    outcomes: tuple[Outcome, ...]


def load_claims(path: str | Path) -> ClaimsFile:
    """Read and check a file of claims. Raises ``UserError`` with one sentence."""
    return parse_section(ClaimsFile, read_yaml(path), str(path))


def judge_claims(claims: ClaimsFile, evidence: Evidence) -> list[Verdict]:
    """The verdict on each claim, in the order of the file."""
    return [_judge(claim, evidence, claims.limits) for claim in claims.claims]


def verdicts_frame(verdicts: list[Verdict]) -> pd.DataFrame:
    """Tidy verdicts, one row a criterion.

    Columns: claim, statement, verdict, criterion (kind), outcome, numbers, takes.
    """
    rows = [
        {
            "claim": verdict.claim.id,
            "statement": verdict.claim.statement,
            "verdict": verdict.verdict.status,
            "criterion": criterion.kind,
            "outcome": outcome.status,
            "numbers": outcome.numbers,
            "takes": outcome.takes,
        }
        for verdict in verdicts
        for criterion, outcome in zip(verdict.claim.decided_by, verdict.outcomes, strict=True)
    ]
    columns = ["claim", "statement", "verdict", "criterion", "outcome", "numbers", "takes"]
    return pd.DataFrame(rows, columns=columns)


def _judge(claim: Claim, evidence: Evidence, limits: Limits) -> Verdict:
    outcomes = tuple(criterion.judge(evidence, limits) for criterion in claim.decided_by)
    return Verdict(claim, combine(outcomes), outcomes)
