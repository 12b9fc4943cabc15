"""Arguments of an operator as far as they decide what its result looks like."""

from collections.abc import Hashable, Mapping
from typing import Any

from torch import Tensor


def signature(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Hashable:
    """Equal for arguments that differ only in the values of tensors."""
    described = tuple([_describe(value) for value in args])
    if not kwargs:
        return described
    return described, tuple([(name, _describe(value)) for name, value in kwargs.items()])


def _describe(value: Any) -> Hashable:
    if isinstance(value, Tensor):
        return value.shape, value.stride(), value.dtype, value.is_meta
    if isinstance(value, (list, tuple)):
        return tuple([_describe(item) for item in value])
    # 1, 1.0 and True are equal but give results of different dtypes
    return value.__class__, value
