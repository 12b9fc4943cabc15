"""CUDA's autocast policy on tensors that are not on a GPU.

Autocast of meta and CPU tensors follows the CPU's operator lists, which differ from CUDA's. To predict what a
GPU would keep, this mode applies CUDA's lists; they are read from the header that ships with torch, which is
what CUDA's own registration is compiled from.
"""

import re
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_iter, tree_map

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


class CudaAutocast(TorchFunctionMode):
    """Run the operators of CUDA's autocast lists in the dtypes that CUDA would choose.

    Casts of parameters are cached until the outermost mode is left, as autocast does.
    """

    _depth = 0
    _casts: dict[int, tuple[Tensor, Tensor]] = {}  # noqa: RUF012  shared by nested modes on purpose

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype

    def __enter__(self) -> "CudaAutocast":
        CudaAutocast._depth += 1
        super().__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        CudaAutocast._depth -= 1
        if CudaAutocast._depth == 0:
            CudaAutocast._casts.clear()
        super().__exit__(kind, error, trace)

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        if name in operators("FP32_SET_OPT_DTYPE") and kwargs.get("dtype") is None and _is_low(args):
            return func(*args, **kwargs, dtype=torch.float32)
        dtype = self._dtype_for(name, (args, kwargs))
        if dtype is None:
            return func(*args, **kwargs)
        args, kwargs = tree_map(lambda value: self._cast(value, dtype), (args, kwargs))
        return func(*args, **kwargs)

    def _dtype_for(self, name: str, arguments: Any) -> torch.dtype | None:
        """The dtype that the policy of operator ``name`` asks for, None when it has no policy."""
        if name in operators("LOWER_PRECISION_FP"):
            return self.dtype
        if name in operators("FP32"):
            return torch.float32
        if name in operators("PROMOTE"):
            floats = [value.dtype for value in tree_iter(arguments) if _is_float(value)]
            return torch.float32 if torch.float32 in floats else self.dtype
        return None

    def _cast(self, value: Any, dtype: torch.dtype) -> Any:
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
