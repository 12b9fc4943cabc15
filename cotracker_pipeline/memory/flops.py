"""Floating-point operations of operators, by PyTorch's own formulas."""

from collections.abc import Hashable, Mapping
from typing import Any

from torch._ops import OpOverload
from torch.utils.flop_counter import flop_registry

from cotracker_pipeline.memory.signature import signature


class FlopCount:
    """Sums the operations of matrix products, convolutions and attention, forward and backward.

    PyTorch's ``FlopCounterMode`` cannot be used while memory is tracked: it keeps recomputed graphs alive.
    """

    def __init__(self) -> None:
        self.total = 0
        self._known: dict[Hashable, int] = {}

    def add(
        self, operator: OpOverload, args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Any
    ) -> None:
        """Count one call of ``operator`` with its ``result``."""
        formula = flop_registry.get(operator._overloadpacket)
        if formula is None:
            return
        key = (operator, signature(args, kwargs))
        if key not in self._known:
            self._known[key] = int(formula(*args, **kwargs, out_val=result))
        self.total += self._known[key]
