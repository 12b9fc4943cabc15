"""AdamW without copies of all parameters, and with its state on the host."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim import AdamW
from torch.optim.adamw import adamw

#: The parts of the state that are as large as the parameter.
AVERAGES = ("exp_avg", "exp_avg_sq")


class OneByOneAdamW(AdamW):
    """AdamW that updates one parameter after the other and frees each gradient once it has been used.

    The default updates all parameters at once, with temporaries as large as all of them.
    """

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """As ``AdamW``; afterwards no parameter has a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._update(parameter, group)
                    parameter.grad = None
        return loss

    def _update(self, parameter: Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if not state:
            state["step"] = torch.tensor(0.0)
            state.update({name: self._new_average(parameter) for name in AVERAGES})
        first, second = (self._fetched(state[name], parameter) for name in AVERAGES)
        assert parameter.grad is not None
        beta1, beta2 = group["betas"]
        adamw(
            [parameter],
            [parameter.grad],
            [first],
            [second],
            [],
            [state["step"]],
            foreach=False,
            amsgrad=False,
            beta1=beta1,
            beta2=beta2,
            lr=group["lr"],
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            maximize=False,
        )
        for name, value in zip(AVERAGES, (first, second), strict=True):
            self._store(state[name], value)

    def _new_average(self, parameter: Tensor) -> Tensor:
        return torch.zeros_like(parameter, memory_format=torch.preserve_format)

    def _fetched(self, kept: Tensor, parameter: Tensor) -> Tensor:
        """A part of the state on the parameter's device."""
        del parameter
        return kept

    def _store(self, kept: Tensor, value: Tensor) -> None:
        """Keep what has become of ``_fetched``."""


class HostAdamW(OneByOneAdamW):
    """Its state is on the host, pinned where the parameters are on a GPU; of one parameter it is fetched.

    Copies are asynchronous, in the order of the GPU's stream. What reads the state elsewhere waits for them.
    """

    def state_dict(self) -> dict[str, Any]:
        """As ``AdamW``, once all copies have arrived."""
        if any(parameter.is_cuda for parameter in self.state):
            torch.cuda.synchronize()
        return super().state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """As ``AdamW``; the state goes to the host."""
        super().load_state_dict(state_dict)
        for parameter, state in self.state.items():
            for name in AVERAGES:
                state[name] = _on_host(state[name], pinned=parameter.is_cuda)

    def _new_average(self, parameter: Tensor) -> Tensor:
        if parameter.is_meta:
            # stands for what takes nothing of the device
            return torch.zeros((), device="cpu").expand(parameter.shape)
        return _on_host(torch.zeros_like(parameter, device="cpu"), pinned=parameter.is_cuda)

    def _fetched(self, kept: Tensor, parameter: Tensor) -> Tensor:
        if parameter.is_meta:
            return torch.empty_like(parameter)
        return kept.to(parameter.device, non_blocking=True)

    def _store(self, kept: Tensor, value: Tensor) -> None:
        if value is not kept and not value.is_meta:
            kept.copy_(value, non_blocking=True)


def _on_host(value: Tensor, pinned: bool) -> Tensor:
    value = value.cpu()
    return value.pin_memory() if pinned else value
