"""Writing tables in the formats that their paths ask for."""

import argparse
from collections.abc import Iterable
from pathlib import Path

from cotracker_pipeline.analysis.tables import WRITERS, Table
from cotracker_pipeline.files import write_text


def table_path(text: str) -> Path:
    """The type of a command-line argument: a path with a known suffix."""
    path = Path(text)
    if path.suffix not in WRITERS:
        raise argparse.ArgumentTypeError(f"{text}: unknown format; choose one of {', '.join(WRITERS)}")
    return path


def write_tables(table: Table, paths: Iterable[Path]) -> None:
    """Write ``table`` once a path, atomically, in the format of its suffix."""
    for path in paths:
        write_text(path, WRITERS[path.suffix](table))
