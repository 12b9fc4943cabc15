"""Numbers that others have published, as data."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import pandas as pd
from pydantic import Field, model_validator

from cotracker_pipeline.config import Name, Number, Section, parse_section, read_yaml
from cotracker_pipeline.errors import UserError

MEASURES = {
    "average_jaccard": "AJ",
    "average_pts_within_thresh": "δ avg",
    "occlusion_accuracy": "OA",
    "accuracy": "δ",
    "accuracy_vis": "δ visible",
    "accuracy_occ": "δ occluded",
    "survival": "survival",
    "d_avg": "δ",
    "survival_16": "survival 16",
    "survival_50": "survival 50",
    "median_l2": "MTE",
}
"""What tables show of evaluations, shares but for the last, and what they call it."""

IN_PIXELS = {"median_l2"}


class PublishedNumber(Section):
    """What one source says of a checkpoint on a set."""

    checkpoint: Name
    set: Name
    query_mode: Literal["first", "strided", "frame-0"] = "first"
    tracking: Literal["jointly", "singly"] = Field(description="all queries at once, or one at a time")
    source: Name = Field(description="one of sources")
    values: dict[str, Annotated[Number, Field(ge=0)]] = Field(
        min_length=1, description="by measure; shares in points (hundredths)"
    )


class PublishedNumbers(Section):
    """A file of them."""

    sources: dict[Name, str] = Field(description="where numbers stand, in words")
    numbers: tuple[PublishedNumber, ...]

    @model_validator(mode="after")
    def _names_exist(self) -> "PublishedNumbers":
        for place, number in enumerate(self.numbers):
            if number.source not in self.sources:
                raise ValueError(f"numbers.{place}.source: there is no source '{number.source}'; add it")
            for measure in number.values:
                if measure not in MEASURES:
                    raise ValueError(
                        f"numbers.{place}.values: there is no measure '{measure}'; choose one of "
                        f"{', '.join(MEASURES)}"
                    )
        return self


class Measured(NamedTuple):
    """The mean of a measure over the videos where it is defined, in the unit of ``PublishedNumbers``."""

    checkpoint: str
    set: str
    query_mode: str
    measure: str
    value: float
    videos: int
    undefined: int


def load_numbers(path: str | os.PathLike[str]) -> PublishedNumbers:
    """Read and check a file of published numbers. Raises ``UserError`` with one sentence."""
    return parse_section(PublishedNumbers, read_yaml(path), str(path))


def read_measured(paths: Iterable[Path]) -> list[Measured]:
    """What evaluations found; of which checkpoint and set is in their places: .../NAME/SET/evaluation.csv.

    Raises ``UserError`` when one cannot be read.
    """
    return [measured for path in paths for measured in _of_file(path)]


def _of_file(path: Path) -> list[Measured]:
    try:
        rows = pd.read_csv(path)
        modes = list(rows.groupby("query_mode", sort=False))
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"{path}: is no evaluation; evaluate again") from error
    return [
        _mean(path.parts[-3], path.parts[-2], str(mode), measure, of_mode[measure])
        for mode, of_mode in modes
        for measure in MEASURES
        if measure in of_mode
    ]


def _mean(checkpoint: str, name: str, mode: str, measure: str, values: "pd.Series[float]") -> Measured:
    unit = 1 if measure in IN_PIXELS else 100
    known = int(values.notna().sum())
    return Measured(checkpoint, name, mode, measure, unit * float(values.mean()), known, len(values) - known)
