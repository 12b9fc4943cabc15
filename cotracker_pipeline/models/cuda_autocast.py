"""CUDA's autocast policy on tensors that are not on a GPU.

Autocast of meta and CPU tensors follows the CPU's operator lists, which differ from CUDA's. To predict what a
GPU would keep, this mode applies CUDA's lists; they are read from the header that ships with torch, which is
what CUDA's own registration is compiled from.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from cotracker_pipeline.models.nested import tensors_in

_HEADER = Path(torch.__file__).parent / "include" / "ATen" / "autocast_mode.h"

#: Python's names of operators that the header lists under their C++ names.
_PYTHON_NAMES = {
    "matmul": ("__matmul__", "__rmatmul__"),
    "pow": ("__pow__", "__rpow__"),
    "grid_sampler": ("grid_sample",),
    "upsample_bilinear2d": ("interpolate",),
    "frobenius_norm": ("norm",),
    "scaled_dot_product_attention": ("_scaled_dot_product_efficient_attention",),
}


@cache
def operators(policy: str) -> frozenset[str]:
    """Names of the operators under one policy of the header.

    Args:
        policy: ``LOWER_PRECISION_FP``, ``FP32``, ``FP32_SET_OPT_DTYPE`` or ``PROMOTE``.

    Raises:
        RuntimeError: when the header of this torch has no such list.
    """
    macro = re.search(rf"#define AT_FORALL_{policy}\(_\)(.*?)\n\n", _HEADER.read_text(), re.DOTALL)
    if macro is None:
        raise RuntimeError(f"{_HEADER} has no list AT_FORALL_{policy}; this torch is not the tested one")
    names = {arguments.split(",")[0].strip() for arguments in re.findall(r"_\(([^()]*)\)", macro[1])}
    return frozenset(names | {alias for name in names for alias in _PYTHON_NAMES.get(name, ())})


_SET_DTYPE = "FP32_SET_OPT_DTYPE"


@cache
def policies() -> dict[str, str]:
    """The policy of every operator that has one, by the operator's name in Python."""
    return {
        name: policy
        for policy in ("PROMOTE", "FP32", "LOWER_PRECISION_FP", _SET_DTYPE)
        for name in operators(policy)
    }


class CudaAutocast(TorchFunctionMode):
    """Run the operators of CUDA's autocast lists in the dtypes that CUDA would choose.

    Casts of parameters are cached until the outermost mode is left, as autocast does. Inside of a mode
    another one changes nothing, so all nested ones must ask for the same dtype.
    """

    _active: "list[CudaAutocast]" = []  # noqa: RUF012  shared by nested modes on purpose
    _casts: dict[int, tuple[Tensor, Tensor]] = {}  # noqa: RUF012

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype

    @classmethod
    def outermost(cls) -> "CudaAutocast | None":
        """The mode that computes now, None outside of all."""
        return cls._active[0] if cls._active else None

    @classmethod
    def casts(cls) -> list[tuple[Tensor, Tensor]]:
        """The parameters that have been cast, and their casts."""
        return list(cls._casts.values())

    @classmethod
    @contextmanager
    def without_casts(cls) -> Iterator[None]:
        """Forget all casts inside, and those that were made inside afterwards."""
        before, cls._casts = cls._casts, {}
        try:
            yield
        finally:
            cls._casts = before

    def cast(self, parameter: Tensor) -> Tensor:
        """``parameter`` as an operator of lower precision would get it."""
        return self._cast(parameter, self.dtype)

    def __enter__(self) -> "CudaAutocast":
        if not self._active:
            super().__enter__()
        self._active.append(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._active.pop()
        if not self._active:
            self._casts.clear()
            super().__exit__(kind, error, trace)

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        policy = policies().get(getattr(func, "__name__", ""))
        if policy is None:
            return func(*args, **kwargs)
        if policy == _SET_DTYPE:
            if kwargs.get("dtype") is None and _is_low(args):
                kwargs = {**kwargs, "dtype": torch.float32}
            return func(*args, **kwargs)
        dtype = self._dtype_for(policy, (*args, *kwargs.values()))
        kwargs = {name: self._cast(value, dtype) for name, value in kwargs.items()}
        args = tuple([self._cast(value, dtype) for value in args])
        return func(*args, **kwargs)

    def _dtype_for(self, policy: str, arguments: Iterable[Any]) -> torch.dtype:
        if policy == "LOWER_PRECISION_FP":
            return self.dtype
        if policy == "FP32" or any(tensor.dtype == torch.float32 for tensor in tensors_in(arguments)):
            return torch.float32
        return self.dtype

    def _cast(self, value: Any, dtype: torch.dtype) -> Any:
        if isinstance(value, (list, tuple)):
            return type(value)([self._cast(item, dtype) for item in value])
        if not _is_float(value) or value.dtype in (dtype, torch.float64):
            return value
        if not (value.is_leaf and value.requires_grad and dtype == self.dtype):
            return value.to(dtype)
        if id(value) not in self._casts:
            # the parameter is kept beside its cast so that its id stays its own
            self._casts[id(value)] = (value, value.to(dtype))
        return self._casts[id(value)][1]


def _is_float(value: Any) -> bool:
    return isinstance(value, Tensor) and value.is_floating_point()


def _is_low(args: tuple[Any, ...]) -> bool:
    return bool(args) and _is_float(args[0]) and args[0].dtype in (torch.bfloat16, torch.float16)
