"""Operators on meta tensors, each worked out once per shape.

A training step repeats itself: of some 100,000 operators only some hundred differ in operator and shapes.
Meta kernels written in Python take most of the time of a meta run, so their results are remembered here.
"""

from collections.abc import Callable, Hashable, Mapping
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch._ops import OpOverload

from cotracker_pipeline.memory.signature import signature
from cotracker_pipeline.memory.tracker import call
from cotracker_pipeline.models.nested import tensors_in

_META = torch.device("meta")

#: Makes the result of an operator from its arguments.
Make = Callable[[tuple[Any, ...]], Any]


class _Outcome(NamedTuple):
    """What a call gave: how to make the result again, None when only the operator can, and its FLOPs."""

    make: Make | None
    flops: int


class _Kernel:
    """One operator: whether results can be remembered at all, and those that are."""

    __slots__ = ("fresh", "in_place", "known", "returns")

    def __init__(self, operator: OpOverload) -> None:
        schema = operator._schema
        self.returns = bool(schema.returns)
        self.fresh = not schema.is_mutable and all(result.alias_info is None for result in schema.returns)
        # operators that change a tensor's shape or strides have a tag of their own
        self.in_place = torch.Tag.inplace in operator.tags and torch.Tag.inplace_view not in operator.tags
        self.known: dict[Hashable, _Outcome] = {}

    def outcome(
        self, operator: OpOverload, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> tuple[Any, _Outcome]:
        changes_nothing = self.in_place and all(tensor.is_meta for tensor in tensors_in(args))
        if changes_nothing and not self.returns:
            return None, _Outcome(_nothing, 0)
        result, flops = call(operator, args, kwargs)
        if changes_nothing:
            return result, _Outcome(_first if result is args[0] else None, flops)
        return result, _Outcome(_maker_of_fresh(result, args) if self.fresh else None, flops)


class MetaKernels:
    """Calls operators; a result that is nothing but new meta tensors is laid out from memory.

    This is exact: an operator on meta tensors has nothing to go by but shapes, strides, dtypes and numbers,
    and all of them are in the key.
    """

    def __init__(self) -> None:
        # by the operator's id, which is quicker to hash than the operator and lives as long as torch
        self._kernels: dict[int, _Kernel] = {}

    def __call__(
        self, operator: OpOverload, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> tuple[Any, int]:
        """The result of ``operator`` and its FLOPs; on tensors of other devices, of the operator itself."""
        kernel = self._kernels.get(id(operator))
        if kernel is None:
            kernel = self._kernels[id(operator)] = _Kernel(operator)
        if not (kernel.fresh or kernel.in_place):
            return call(operator, args, kwargs)
        key = signature(args, kwargs)
        outcome = kernel.known.get(key)
        if outcome is None:
            result, kernel.known[key] = kernel.outcome(operator, args, kwargs)
            return result, kernel.known[key].flops
        make, flops = outcome
        return operator(*args, **kwargs) if make is None else make(args), flops


def _first(args: tuple[Any, ...]) -> Any:
    return args[0]


def _nothing(_: tuple[Any, ...]) -> None:
    pass


def _maker_of_fresh(result: Any, args: tuple[Any, ...]) -> Make | None:
    """How to make ``result`` again; None unless it is a tensor or some tensors, all new and on meta."""
    # a few operators return their input or a view although they do not say so
    taken = {tensor.untyped_storage()._cdata for tensor in tensors_in(args)}
    if isinstance(result, Tensor):
        empty = _empty_like(result, taken)
        return None if empty is None else lambda _: empty()
    if not isinstance(result, (tuple, list)):
        return None
    parts = [None if part is None else _empty_like(part, taken) for part in result]
    if any(part is not None and empty is None for part, empty in zip(result, parts, strict=True)):
        return None
    kind = type(result)
    return lambda _: kind([None if empty is None else empty() for empty in parts])


def _empty_like(tensor: Any, taken: set[int]) -> Callable[[], Tensor] | None:
    """Makes tensors like one that owns all of its storage; notes the storage in ``taken``."""
    if not isinstance(tensor, Tensor) or not tensor.is_meta:
        return None
    empty = partial(
        torch.empty_strided, tuple(tensor.shape), tensor.stride(), dtype=tensor.dtype, device=_META
    )
    storage = tensor.untyped_storage()
    if storage._cdata in taken or empty().untyped_storage().nbytes() != storage.nbytes():
        return None
    taken.add(storage._cdata)
    return empty
