"""What a format is to the conversion."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cotracker_pipeline.data.store import Sequence
from cotracker_pipeline.errors import UserError


@dataclass(frozen=True)
class Entry:
    """One sequence of a data set that has been found but not read.

    name: of the sequence, unique in the data set.
    files: all that it is read from.
    read: reads and checks it; raises ``UserError`` with file, key and mend.
    """

    name: str
    files: tuple[Path, ...]
    read: Callable[[], Sequence]


@dataclass(frozen=True)
class Format:
    """How a data set is published.

    title: official name; version: of the layout that is read; licence: as its owner states it.
    codec: how its frames are stored unless told otherwise: raw for benchmarks, JPEG for training sets.
    units: the files or folders below an input, in a fixed order, that can be listed independently.
    entries: the sequences of one unit, in a fixed order; a unit that is one pickle has to be read for it.
    ``units`` and ``entries`` raise ``UserError`` when the input is not of this format.
    """

    title: str
    version: str
    licence: str
    codec: Literal["raw", "jpeg"]
    units: Callable[[Path], list[Path]]
    entries: Callable[[Path], list[Entry]]


def existing(path: Path, what: str) -> Path:
    """``path`` itself. Raises ``UserError`` when it is not there."""
    if not path.exists():
        raise UserError(f"{path}: no such file or folder; give {what}")
    return path


def inside(root: Path, path: Path) -> Path:
    """``path``, which must lie below ``root`` after all links are followed. Raises ``UserError``."""
    if not path.resolve().is_relative_to(root.resolve()):
        raise UserError(f"{path}: leads out of {root}; put a copy of what it names there instead")
    return path


def inside_all(root: Path, paths: list[Path]) -> tuple[Path, ...]:
    """All ``paths``, each as ``inside``."""
    return tuple(inside(root, path) for path in paths)
