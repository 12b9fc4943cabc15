"""What the bytes of a training step are counted under."""

from collections.abc import Mapping
from types import MappingProxyType

PARAMETERS = "parameters"
GRADIENTS = "gradients"
OPTIMISER = "optimiser"
BATCH = "batch"
#: Everything that belongs to no other component: state between the parts of a model, the loss.
OTHER = "other"

#: The component that a module of a tracker, and all modules inside of it, belong to.
COMPONENT_OF_MODULE: Mapping[str, str] = MappingProxyType(
    {
        "fnet": "encoder",
        "correlation": "correlation",
        "corr_mlp": "correlation",
        "updateformer": "transformer",
    }
)


def component_of(module: str) -> str:
    """The component of the module with the dotted path ``module`` inside of its model."""
    return COMPONENT_OF_MODULE.get(module.partition(".")[0], OTHER)
