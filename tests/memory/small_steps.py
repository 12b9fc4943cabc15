"""The variants of the default study at a size at which a step can be taken here."""

from pathlib import Path

from small_models import TINY

from cotracker_pipeline.config import Architecture, Clip, load_study
from cotracker_pipeline.memory.assembly import assemble_step
from cotracker_pipeline.memory.step import TrainingStep

STUDY = load_study(Path(__file__).parents[2] / "config" / "config.yaml")
#: Tracks of a variant for one here.
FACTOR = 24
CLIP = Clip(batch_size=1, frames=8, height=32, width=48)
MODEL = TINY.model_copy(update={"depth": 2})


#: No kernels of each device's own, and no state on a host that may be the device.
PORTABLE = {"attention": "explicit", "correlation": "volume", "optimiser": "foreach"}


def small_step(
    name: str, device: str, portable: bool = True, architecture: Architecture = "cotracker2"
) -> TrainingStep:
    """A step of the variant ``name``; ``portable``: what each device does in its own way is left out."""
    _, recipe, strategy = STUDY.variant(name)
    strategy = strategy.model_copy(update=PORTABLE if portable else {})
    recipe = recipe.model_copy(update={"tracks": recipe.tracks // FACTOR, "iterations": 2})
    model = MODEL.model_copy(update={"architecture": architecture})
    return assemble_step(recipe, strategy, CLIP, model, device)
