"""Tables as tidy measurements and as something to read."""

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from cotracker_pipeline.analysis import pages

MEASUREMENT_COLUMNS = [
    *("scale", "subject", "query_mode", "measure", "unit", "value", "low", "high", "seeds", "videos"),
]
"""One row a measurement. ``subject``: a variant or a floor; ``low`` and ``high``: 95 % bootstrap interval
over so many ``seeds`` and ``videos``."""


@dataclass(frozen=True)
class Section:
    """One block to read: a heading that states the scale, and a frame of finished cells."""

    heading: str
    frame: pd.DataFrame


@dataclass(frozen=True)
class Table:
    """What one table file says, in whatever format.

    Attributes:
        title: of the whole table.
        data: the tidy measurements.
        sections: the blocks to read.
        notes: sentences below the blocks.
    """

    title: str
    data: pd.DataFrame
    sections: Sequence[Section]
    notes: Sequence[str] = ()


def measurements(rows: Iterable[dict[str, object]]) -> pd.DataFrame:
    """Tidy measurements from rows that may leave out ``query_mode`` and what belongs to an interval."""
    counts = dict.fromkeys(("seeds", "videos"), "Int64")
    return pd.DataFrame(list(rows)).reindex(columns=MEASUREMENT_COLUMNS).astype(counts)


def to_csv(table: Table) -> str:
    """The tidy measurements."""
    return table.data.to_csv(index=False, lineterminator="\n")


def to_markdown(table: Table) -> str:
    """Headings, pipe tables, notes."""
    blocks = [f"# {table.title}"]
    for section in table.sections:
        blocks += [f"## {section.heading}", section.frame.to_markdown(index=False, disable_numparse=True)]
    return "\n\n".join([*blocks, *table.notes]) + "\n"


def to_latex(table: Table) -> str:
    """One ``table`` environment a section, for a document that uses booktabs."""
    blocks = [
        _escaped(section.frame).to_latex(
            index=False, caption=_escape_latex(f"{table.title}. {section.heading}"), position="htbp"
        )
        for section in table.sections
    ]
    return "\n".join([*blocks, *(f"% {note}" for note in table.notes)]) + "\n"


def to_html(table: Table) -> str:
    """A page of its own, for the report."""
    blocks = [f"<h1>{html.escape(table.title)}</h1>"]
    for section in table.sections:
        blocks += [f"<h2>{html.escape(section.heading)}</h2>", pages.table(section.frame)]
    blocks += [f'<p class="quiet">{html.escape(note)}</p>' for note in table.notes]
    return pages.page(table.title, "\n".join(blocks))


WRITERS = {".csv": to_csv, ".md": to_markdown, ".tex": to_latex, ".html": to_html}
"""By suffix of the file."""

_LATEX = str.maketrans(
    {
        "&": r"\&",
        "%": r"\%",
        "_": r"\_",
        "#": r"\#",
        "$": r"\$",
        "~": r"\textasciitilde{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "δ": r"$\delta$",
        "Δ": r"$\Delta$",
    }
)


def _escape_latex(text: str) -> str:
    return text.translate(_LATEX)


def _escaped(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.astype(str).map(_escape_latex).rename(columns=_escape_latex)
