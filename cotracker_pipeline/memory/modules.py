"""Which module of a model is computing, in the forward and in the backward pass."""

from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, NamedTuple

import torch
from torch import nn

#: The number of no call.
NO_CALL = -1


class Call(NamedTuple):
    """One call of the module at the dotted path ``module``, and the number of the call that it is part of."""

    module: str
    part_of: int


class ModuleTrace:
    """Follows the modules of ``model`` while the context is open.

    In the forward pass, and when it is recomputed, hooks say which module runs. In the backward pass it is
    the module that made the running autograd node: nodes are numbered in the order in which they are made,
    and the hooks note the number at which each module begins and ends. Numbers count per thread, so the
    backward pass must run in the thread of the forward pass
    (``torch.autograd.set_multithreading_enabled(False)``).

    Attributes:
        calls: every call of a module so far; its place in the list is its number.
    """

    def __init__(self, model: nn.Module) -> None:
        self.calls: list[Call] = []
        self._model = model
        self._running: list[int] = []
        self._first_nodes: list[int] = []
        self._makers: list[int] = []
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
        call = self.current_call()
        return self.calls[call].module if call != NO_CALL else ""

    def current_call(self) -> int:
        """Number of the call that computes, ``NO_CALL`` outside of the model."""
        if self._running:
            return self._running[-1]
        node = torch._C._current_autograd_node()
        if node is None:
            return NO_CALL
        interval = bisect_right(self._first_nodes, node._sequence_nr()) - 1
        return self._makers[interval] if interval >= 0 else NO_CALL

    def repeat(self, calls: range, numbers: dict[int, int]) -> None:
        """Enter ``calls`` once more, as if their modules had been called again.

        Args:
            calls: numbers of calls.
            numbers: earlier calls to those that take their place; ``calls`` are added.
        """
        for number in calls:
            module, part_of = self.calls[number]
            numbers[number] = len(self.calls)
            self.calls.append(Call(module, numbers.get(part_of, part_of)))

    @contextmanager
    def inside(self, path: str) -> Iterator[None]:
        """Say that the module at ``path`` computes, as its hooks do."""
        self._begin(path)
        try:
            yield
        finally:
            self._finish()

    def _beginning(self, path: str) -> Any:
        def hook(_module: nn.Module, _args: Any) -> None:
            self._begin(path)

        return hook

    def _begin(self, path: str) -> None:
        self.calls.append(Call(path, self._innermost()))
        self._running.append(len(self.calls) - 1)
        self._note()

    def _end(self, _module: nn.Module, _args: Any, _output: Any) -> None:
        self._finish()

    def _finish(self) -> None:
        self._running.pop()
        self._note()

    def _note(self) -> None:
        self._first_nodes.append(torch.autograd._get_sequence_nr())
        self._makers.append(self._innermost())

    def _innermost(self) -> int:
        return self._running[-1] if self._running else NO_CALL
