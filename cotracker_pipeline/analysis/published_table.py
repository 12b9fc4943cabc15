"""What was measured of published checkpoints beside what is published of them."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import pandas as pd

from cotracker_pipeline.analysis.published_numbers import (
    IN_PIXELS,
    MEASURES,
    Measured,
    PublishedNumber,
    PublishedNumbers,
)
from cotracker_pipeline.analysis.tables import Section, Table
from cotracker_pipeline.config import Published

COLUMNS = [
    "set",
    "query_mode",
    "checkpoint",
    "measure",
    "unit",
    "measured",
    "videos",
    "undefined",
    "published",
    "difference",
    "tracking",
    "source",
]
"""One row a published number, and one a measured one of which none is published."""

NOTHING = "-"

NOTES = (
    "Shares are in points (hundredths) at 256x256, means over videos; MTE is in pixels.",
    "Measured with all queries at once (jointly), or one at a time (singly) where the set says so.",
    "-: not measured, since the checkpoint or the set is not there, or not published.",
)


class Key(NamedTuple):
    """What a number is of."""

    checkpoint: str
    set: str
    query_mode: str
    measure: str


def published_table(published: Published, numbers: PublishedNumbers, measured: Sequence[Measured]) -> Table:
    """One section a set and query mode."""
    rows = pd.DataFrame(list(_rows(published, numbers, measured)), columns=COLUMNS)
    rows = rows.astype(dict.fromkeys(("tracking", "source"), "object"))
    sections = [
        Section(f"{name}, queries {mode}", _readable(of_mode))
        for (name, mode), of_mode in rows.groupby(["set", "query_mode"], sort=False)
    ]
    used = [source for source in numbers.sources if source in set(rows["source"])]
    sources = [f"{source}: {numbers.sources[source]}." for source in used]
    return Table("Checkpoints beside their published numbers", rows, sections, [*NOTES, *sources])


def _rows(
    published: Published, numbers: PublishedNumbers, measured: Iterable[Measured]
) -> Iterator[dict[str, Any]]:
    found = {Key(*one[:4]): one for one in measured}
    told = _told(numbers)
    # in the order of the study: sets, and in them checkpoints
    for name in published.sets:
        for mode in ("first", "strided", "frame-0"):
            for checkpoint in published.checkpoints:
                for key in (Key(checkpoint, name, mode, measure) for measure in MEASURES):
                    if key in found or key in told:
                        yield from _compared(key, found.get(key), told.get(key, []))


def _told(numbers: PublishedNumbers) -> dict[Key, list[tuple[PublishedNumber, float]]]:
    told: dict[Key, list[tuple[PublishedNumber, float]]] = defaultdict(list)
    for number in numbers.numbers:
        for measure, value in number.values.items():
            told[Key(number.checkpoint, number.set, number.query_mode, measure)].append((number, value))
    return told


def _compared(
    key: Key, found: Measured | None, told: list[tuple[PublishedNumber, float]]
) -> Iterator[dict[str, Any]]:
    facts: dict[str, Any] = key._asdict() | {"unit": "px" if key.measure in IN_PIXELS else "points"}
    if found:
        facts |= {"measured": found.value, "videos": found.videos, "undefined": found.undefined}
    for number, value in told:
        compared = {"published": value, "tracking": number.tracking, "source": number.source}
        yield facts | compared | ({"difference": found.value - value} if found else {})
    if not told:
        yield facts


def _readable(rows: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "checkpoint": rows["checkpoint"],
            "measure": rows["measure"].map(MEASURES),
            "measured": _written(rows["measured"], "{:.1f}"),
            "published": _written(rows["published"], "{:.1f}"),
            "difference": _written(rows["difference"], "{:+.1f}"),
            "published for queries": rows["tracking"].fillna(NOTHING),
            "source": rows["source"].fillna(NOTHING),
            "videos": _written(rows["videos"], "{:.0f}"),
        }
    )


def _written(values: "pd.Series[Any]", form: str) -> list[str]:
    return [NOTHING if pd.isna(value) else form.format(value) for value in values]
