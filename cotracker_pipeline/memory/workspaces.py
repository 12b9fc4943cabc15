"""Memory that libraries take for the length of an operator, which no storage shows."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload

from cotracker_pipeline.memory.ledger import GRANULE
from cotracker_pipeline.memory.modules import NO_CALL
from cotracker_pipeline.memory.tracker import MemoryTracker

#: What cuDNN asks for beside copies of input, weights and output.
_MARGIN = 512


def convolution_workspace(input: Tensor, weight: Tensor, output: Tensor) -> int:
    """Bytes of cuDNN's workspace: copies of input, weights and output, as if it changed their layout.

    Measured in memory snapshots on an H100 (cuDNN 9.19, fp32 with TF32). cuDNN takes it where it is free and
    computes in another way where it is not, so that the smallest card does not depend on it.
    """
    size = _MARGIN + sum(tensor.numel() * tensor.element_size() for tensor in (input, weight, output))
    return -(-size // GRANULE) * GRANULE


class WorkspaceTracker(MemoryTracker):
    """Beside storages the workspaces of convolutions without gradients are among the events.

    They are not among the live bytes: those are storages.
    """

    def __torch_dispatch__(
        self,
        func: OpOverload,
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        result = super().__torch_dispatch__(func, types, args, kwargs)
        if func is torch.ops.aten.convolution.default and not self._hidden:
            # the output is there before the workspace is asked for
            size = convolution_workspace(args[0], args[1], result)
            self.ledger.release(self.ledger.allocate(size, "workspace", NO_CALL))
        return result
