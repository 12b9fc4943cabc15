"""Rows of a CSV file, added so that a killed run keeps what it had."""

import csv
import io
import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cotracker_pipeline.files import write_text

#: Columns of every row: where, with what and when it was measured.
MACHINE_COLUMNS = (
    "device",
    "device_bytes",
    "threads",
    "driver",
    "cuda",
    "cudnn",
    "convolution_tf32",
    "product_tf32",
    "allocator",
    "python",
    "torch",
    "date",
    "commit",
    "command",
)


def shown(command: Sequence[str], without: Sequence[str] = ("--output",)) -> str:
    """A command of Python as a row tells it: without folders that mean nothing elsewhere.

    Args:
        command: what Python was given, the options ``without`` and their values included.
        without: options that are left out.
    """
    kept = list(command)
    for option in without:
        place = kept.index(option)
        del kept[place : place + 2]
    return shlex.join(["python", *kept])


def add_rows(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Add ``rows`` to the file, which is made where it is missing; keys that are no column are left out."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    if path.is_file():
        text.write(path.read_text(encoding="utf-8"))
    else:
        writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())
