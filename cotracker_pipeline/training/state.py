"""The state of a training on disk, so that it can go on where it stopped.

A folder holds the last two states, as ``state-<number>-<SHA-256 of the file>.pt``; the larger number is
newer.
"""

import hashlib
import os
import pickle
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from cotracker_pipeline.command import say
from cotracker_pipeline.errors import UserError
from cotracker_pipeline.files import make_folder, unwritable

_NAME = re.compile(r"state-(\d+)-([0-9a-f]{64})\.pt")
#: What a killed process may leave behind; of a fixed name, so that there is never more than one.
_PARTIAL = "partial.pt"
_KEPT = 2
#: Held by the process that trains.
LOCK = "lock"


def save_state(folder: Path, state: dict[str, Any]) -> None:
    """Write ``state`` (tensors and plain values) atomically into ``folder``; the one before is kept, too.

    Raises:
        UserError: when it cannot be written; the states that were there are as they were.
    """
    partial = folder / _PARTIAL
    make_folder(partial)
    try:
        _write(partial, state)
        partial.rename(folder / f"state-{_next_number(folder):06d}-{_digest(partial)}.pt")
    except (OSError, RuntimeError) as error:
        with suppress(OSError):
            partial.unlink()
        raise unwritable(partial, _fault_of_disk(error)) from error
    for old in _newest_first(folder)[_KEPT:]:
        old.unlink()


def load_state(folder: Path, fingerprint: str) -> dict[str, Any] | None:
    """The last saved state, its tensors on the CPU, or None when there is none.

    One that is damaged is passed over with a warning for the one before. A state of another configuration or
    data (another ``fingerprint``) is not continued.

    Raises:
        UserError: when there are states, but all are damaged.
    """
    paths = _newest_first(folder)
    states = []
    for path in paths:
        state = _read(path)
        if state is None:
            say(f"warning: {path} is damaged; the state before it is used, if there is one")
        elif state.get("fingerprint") == fingerprint:
            return state
        else:
            states.append(state)
    if states:
        say(f"warning: {folder} holds the state of another configuration; this training starts anew")
    elif paths:
        raise UserError(f"{folder}: every state in it is damaged; delete the folder to start again")
    return None


def discard_state(folder: Path) -> None:
    """Delete the states: their training has ended."""
    for path in (*_newest_first(folder), folder / _PARTIAL, folder / LOCK):
        path.unlink(missing_ok=True)
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def _write(path: Path, state: dict[str, Any]) -> None:
    with path.open("wb") as file:
        torch.save(state, file)
        file.flush()
        # the new name must not reach the disk before the bytes do
        os.fsync(file.fileno())


def _read(path: Path) -> dict[str, Any] | None:
    """None when the file is damaged."""
    match = _NAME.fullmatch(path.name)
    try:
        if match is None or _digest(path) != match[2]:
            return None
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, pickle.UnpicklingError):
        return None
    return state


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _newest_first(folder: Path) -> list[Path]:
    states = (path for path in folder.glob("state-*.pt") if _NAME.fullmatch(path.name))
    # not by time: clocks change
    return sorted(states, key=_number, reverse=True)


def _next_number(folder: Path) -> int:
    return max(map(_number, _newest_first(folder)), default=0) + 1


def _number(path: Path) -> int:
    return int(path.name.split("-")[1])


def _fault_of_disk(error: OSError | RuntimeError) -> OSError:
    """torch covers what went wrong with a file by an error of its own."""
    fault = error if isinstance(error, OSError) else error.__context__
    if not isinstance(fault, OSError):
        raise error
    return fault
