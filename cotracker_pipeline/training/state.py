"""The state of a training on disk, so that it can go on where it stopped."""

from pathlib import Path
from typing import Any

import torch

from cotracker_pipeline.errors import UserError
from cotracker_pipeline.files import atomic_path

_NAME = "state.pt"


def save_state(folder: Path, state: dict[str, Any]) -> None:
    """Write ``state`` (tensors and plain values) atomically into ``folder``."""
    with atomic_path(folder / _NAME) as temporary:
        torch.save(state, temporary)


def load_state(folder: Path, fingerprint: str) -> dict[str, Any] | None:
    """The last saved state, or None when there is none.

    A state of another configuration or data (another ``fingerprint``) is not continued: None, too.

    Raises:
        UserError: when the file is damaged.
    """
    path = folder / _NAME
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(path, weights_only=True)
    except Exception as error:  # torch raises many kinds for a damaged file
        raise UserError(f"{path}: is damaged ({type(error).__name__}); delete it to start again") from error
    return state if state.get("fingerprint") == fingerprint else None


def discard_state(folder: Path) -> None:
    """Delete the state: its training has ended."""
    (folder / _NAME).unlink(missing_ok=True)
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
