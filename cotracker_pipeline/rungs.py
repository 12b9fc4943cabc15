"""Named strategies: the rungs of the ladder, from the fastest to the leanest.

All leave loss and gradients as they are. Keys are those of ``config.Strategy``; what is not named is as
published. What each takes is in the README, from ``predict_memory``.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

_FAST = {"attention": "fused", "correlation": "local", "skip_unused": True}
_FRAMEWISE = {**_FAST, "encoder_chunk": 1}

#: For tracking without gradients: the fastest is also the leanest. Four frames still fill the encoder.
TRACKING: Mapping[str, Any] = MappingProxyType({**_FAST, "encoder_chunk": 4})

RUNGS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "published": {},
        "fast": {**_FAST, "checkpoint": ("gelu",)},
        "fast-encoder": {**_FRAMEWISE, "checkpoint": ("encoder", "gelu")},
        "fast-hidden": {**_FRAMEWISE, "checkpoint": ("encoder", "hidden")},
        "moderate": {**_FRAMEWISE, "checkpoint": ("encoder", "stage")},
        "balanced": {**_FRAMEWISE, "checkpoint": ("encoder", "block")},
        "lean": {**_FRAMEWISE, "checkpoint": ("encoder", "iteration", "stage")},
        "minimal": {
            **_FRAMEWISE,
            "checkpoint": ("encoder", "iteration", "block", "stage", "hidden"),
            "optimiser": "host",
        },
    }
)
