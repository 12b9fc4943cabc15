"""The rungs of the ladder of exact strategies, and the targets of their predictions at the true size."""

from typing import Any, NamedTuple


class Rung(NamedTuple):
    """keys: of ``Strategy``; peak_gb: most predicted (1e9 bytes); ratio: most operations over published."""

    keys: dict[str, Any]
    peak_gb: float
    ratio: float


_SAVING = {"correlation": "local", "attention": "fused", "skip_unused": True}

RUNGS = {
    "fast": Rung(_SAVING | {"checkpoint": ("gelu",)}, 42, 1.0),
    "balanced": Rung(_SAVING | {"encoder_chunk": 1, "checkpoint": ("encoder", "block")}, 3.5, 1.2),
    "lean": Rung(_SAVING | {"encoder_chunk": 1, "checkpoint": ("encoder", "iteration", "stage")}, 2.0, 1.45),
    "minimal": Rung(
        _SAVING
        | {
            "encoder_chunk": 1,
            "checkpoint": ("encoder", "iteration", "block", "stage", "hidden"),
            "optimiser": "host",
        },
        1.2,
        1.5,
    ),
}
