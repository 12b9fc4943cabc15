"""Checkpoints as they are published: pickles of tensors alone, whatever wraps the state dict in them.

They are unpickled with ``weights_only=True``: tensors, and nothing that is executed.
"""

import os
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from cotracker_pipeline.errors import UserError
from cotracker_pipeline.files import atomic_path

SUFFIXES = (".pth", ".pt")
"""Of the names of such files."""

#: What distributed training puts before every key.
_WRAPPED = "module."


def read_published(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """The state dict in a file, bare or under ``model``, without ``module.`` before its keys.

    Raises:
        UserError: when the file is missing or holds none.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); give an existing file") from error
    # a damaged pickle makes torch's reader raise whatever its bytes lead to
    except Exception as error:
        raise UserError(f"{path}: is no checkpoint of tensors alone; download it again") from error
    state = content.get("model", content) if isinstance(content, Mapping) else content
    if not _is_state(state):
        raise UserError(f"{path}: holds no state dict; give a published checkpoint or a model.safetensors")
    return {key.removeprefix(_WRAPPED): tensor for key, tensor in state.items()}


def write_published(path: str | os.PathLike[str], state: Mapping[str, Tensor]) -> None:
    """Write a bare state dict atomically."""
    # cloned: of a tensor that is part of another, the whole would be written
    tensors = {key: tensor.detach().cpu().clone() for key, tensor in state.items()}
    with atomic_path(path) as temporary:
        torch.save(tensors, temporary)


def _is_state(state: Any) -> bool:
    return (
        isinstance(state, Mapping)
        and bool(state)
        and all(isinstance(key, str) and isinstance(tensor, Tensor) for key, tensor in state.items())
    )
