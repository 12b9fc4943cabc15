"""Floating-point operations of operators, by PyTorch's own formulas."""

from collections.abc import Mapping
from typing import Any

from torch._ops import OpOverload
from torch.utils.flop_counter import flop_registry


def count_flops(operator: OpOverload, args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Any) -> int:
    """Operations of one matrix product, convolution or attention, forward or backward; 0 for others.

    PyTorch's ``FlopCounterMode`` cannot be used while memory is tracked: it keeps recomputed graphs alive.
    """
    formula = flop_registry.get(operator._overloadpacket)
    return 0 if formula is None else int(formula(*args, **kwargs, out_val=result))
