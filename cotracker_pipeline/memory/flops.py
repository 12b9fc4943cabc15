"""Floating-point operations of operators, by PyTorch's own formulas and some of the same kind."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload
from torch.utils.flop_counter import flop_registry

_ATEN = torch.ops.aten


def _products(rows: Tensor, indices: Tensor) -> int:
    """A multiplication and an addition for each element of the row that an index names."""
    return 2 * indices.numel() * rows.shape[-1]


#: Products with rows of a table, for which PyTorch has no formulas.
_FORMULAS: Mapping[Any, Callable[..., int]] = MappingProxyType(
    {
        _ATEN._embedding_bag_per_sample_weights_backward: lambda rows, _table, indices, *_: _products(
            rows, indices
        ),
        _ATEN._embedding_bag_forward_only: lambda table, indices, *_: _products(table, indices),
        _ATEN._embedding_bag_dense_backward: lambda rows, indices, *_: _products(rows, indices),
    }
)


def count_flops(operator: OpOverload, args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Any) -> int:
    """Operations of one matrix product, convolution, attention or lookup, forward or backward; 0 for others.

    PyTorch's ``FlopCounterMode`` cannot be used while memory is tracked: it keeps recomputed graphs alive.
    """
    packet = operator._overloadpacket
    if packet in _FORMULAS:
        return _FORMULAS[packet](*args)
    formula = flop_registry.get(packet)
    return 0 if formula is None else int(formula(*args, **kwargs, out_val=result))
