"""Operators on meta tensors, each worked out once per shape.

A training step repeats itself: of some 100,000 operators only some hundred differ in operator and shapes.
Meta kernels written in Python take most of the time of a meta run, so their results are remembered here.
"""

from collections.abc import Hashable, Mapping
from functools import cache
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch._ops import OpOverload

from cotracker_pipeline.memory.signature import signature


class _Layout(NamedTuple):
    size: tuple[int, ...]
    stride: tuple[int, ...]
    dtype: torch.dtype

    def empty(self) -> Tensor:
        return torch.empty_strided(self.size, self.stride, dtype=self.dtype, device="meta")


class MetaKernels:
    """Calls operators; where the result is nothing but new meta tensors, it is laid out from memory."""

    def __init__(self) -> None:
        self._known: dict[Hashable, _Layout | tuple[_Layout | None, ...] | None] = {}

    def __call__(self, operator: OpOverload, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """The result of ``operator``; on tensors of other devices, of the operator itself."""
        if not _may_be_fresh(operator):
            return operator(*args, **kwargs)
        key = (operator, signature(args, kwargs))
        layout = self._known.get(key)
        if layout is None:
            result = operator(*args, **kwargs)
            if key not in self._known:
                self._known[key] = _layout_of_fresh(result, args)
            return result
        if isinstance(layout, _Layout):
            return layout.empty()
        return tuple([None if part is None else part.empty() for part in layout])


@cache
def _may_be_fresh(operator: OpOverload) -> bool:
    """Whether the operator declares that it changes nothing and returns no view."""
    schema = operator._schema
    return not schema.is_mutable and all(result.alias_info is None for result in schema.returns)


def _layout_of_fresh(result: Any, args: tuple[Any, ...]) -> _Layout | tuple[_Layout | None, ...] | None:
    """How to make ``result`` again; None unless it is a tensor or a tuple of tensors, all new and on meta."""
    # a few operators return their input or a view although they do not say so
    taken = {value.untyped_storage()._cdata for value in args if isinstance(value, Tensor)}
    if isinstance(result, Tensor):
        return _layout_of(result, taken)
    if not isinstance(result, tuple):
        return None
    layouts = [None if part is None else _layout_of(part, taken) for part in result]
    known = all(part is None or layout is not None for part, layout in zip(result, layouts, strict=True))
    return tuple(layouts) if known else None


def _layout_of(tensor: Any, taken: set[int]) -> _Layout | None:
    """The layout of a tensor that owns all of its storage; notes the storage in ``taken``."""
    if not isinstance(tensor, Tensor) or tensor.device.type != "meta":
        return None
    layout = _Layout(tuple(tensor.shape), tensor.stride(), tensor.dtype)
    storage = tensor.untyped_storage()
    if storage._cdata in taken or layout.empty().untyped_storage().nbytes() != storage.nbytes():
        return None
    taken.add(storage._cdata)
    return layout
