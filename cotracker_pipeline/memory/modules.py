"""Which module of a model is computing, in the forward and in the backward pass."""

from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

import torch
from torch import nn


class ModuleTrace:
    """Follows the modules of ``model`` while the context is open.

    In the forward pass, and when it is recomputed, hooks say which module runs. In the backward pass it is
    the module that made the running autograd node: nodes are numbered in the order in which they are made,
    and the hooks note the number at which each module begins and ends. Numbers count per thread, so the
    backward pass must run in the thread of the forward pass
    (``torch.autograd.set_multithreading_enabled(False)``).
    """

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self._running: list[str] = []
        self._first_nodes: list[int] = []
        self._makers: list[str] = []
        self._hooks: list[Any] = []

    def __enter__(self) -> "ModuleTrace":
        for path, module in self._model.named_modules():
            self._hooks.append(module.register_forward_pre_hook(self._beginning(path)))
            # always_call: a recomputation ends with an exception as soon as it has all that it needs
            self._hooks.append(module.register_forward_hook(self._end, always_call=True))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for hook in self._hooks:
            hook.remove()

    def current(self) -> str:
        """Dotted path of the module that computes; empty for the model itself and outside of it."""
        if self._running:
            return self._running[-1]
        node = torch._C._current_autograd_node()
        if node is None:
            return ""
        interval = bisect_right(self._first_nodes, node._sequence_nr()) - 1
        return self._makers[interval] if interval >= 0 else ""

    @contextmanager
    def inside(self, path: str) -> Iterator[None]:
        """Say that the module at ``path`` computes, as its hooks do."""
        self._begin(path)
        try:
            yield
        finally:
            self._running.pop()
            self._note()

    def _beginning(self, path: str) -> Any:
        def hook(_module: nn.Module, _args: Any) -> None:
            self._begin(path)

        return hook

    def _begin(self, path: str) -> None:
        self._running.append(path)
        self._note()

    def _end(self, _module: nn.Module, _args: Any, _output: Any) -> None:
        self._running.pop()
        self._note()

    def _note(self) -> None:
        self._first_nodes.append(torch.autograd._get_sequence_nr())
        self._makers.append(self._running[-1] if self._running else "")
