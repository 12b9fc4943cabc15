"""What a criterion answers, and how answers combine to a verdict."""

from collections.abc import Iterable
from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from cotracker_pipeline.config import Section

Status = Literal["holds", "does not hold", "not decided"]
Error = Annotated[float, Field(ge=0, lt=1)]


class Outcome(NamedTuple):
    """The answer of one criterion.

    Attributes:
        status: the answer.
        numbers: the numbers that decide it, in words.
        takes: what a decision would take; empty where there is one.
    """

    status: Status
    numbers: str
    takes: str = ""


class Limits(Section):
    """What all criteria share."""

    seeds: int = Field(3, ge=1, description="fewer seeds decide no claim about accuracy or convergence")
    training_peak_error: Error = Field(0.005, description="largest share by which a training peak is off")
    inference_peak_error: Error = Field(0.01, description="largest share by which an inference peak is off")
    card_error: Error = Field(0.03, description="largest share by which the smallest card is off")


def decided(holds: bool, numbers: str) -> Outcome:
    """The outcome of a comparison that has an answer."""
    return Outcome("holds" if holds else "does not hold", numbers)


def compared(low: float, high: float, least: float, most: float) -> Status:
    """Whether a number that lies in [``low``, ``high``] lies in the range [``least``, ``most``]."""
    if least <= low and high <= most:
        return "holds"
    return "does not hold" if high < least or low > most else "not decided"


def combine(outcomes: Iterable[Outcome]) -> Outcome:
    """A claim holds if all its criteria hold, and does not if one does not."""
    outcomes = list(outcomes)
    statuses = {outcome.status for outcome in outcomes}
    worst = next(status for status in ("does not hold", "not decided", "holds") if status in statuses)
    numbers = "; ".join(outcome.numbers for outcome in outcomes if outcome.numbers)
    takes = "; ".join(dict.fromkeys(outcome.takes for outcome in outcomes if outcome.takes))
    return Outcome(worst, numbers, takes if worst == "not decided" else "")
