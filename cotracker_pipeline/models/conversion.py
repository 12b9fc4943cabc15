"""Between published checkpoints and our own files, which have the configuration inside."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cotracker_pipeline.config import ModelSize, Recipe, Strategy, Untold, parse_section
from cotracker_pipeline.data.checksums import digest_of_file
from cotracker_pipeline.errors import UserError
from cotracker_pipeline.models.build import build_model
from cotracker_pipeline.models.checkpoints import load_model, save_model
from cotracker_pipeline.models.detection import detect
from cotracker_pipeline.models.pretrained import load_state
from cotracker_pipeline.models.published_files import read_published, write_published


def to_safetensors(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    untold: Untold,
    corr_radius: int | None = None,
    use_track_mask: bool = True,
) -> list[str]:
    """Write the model of a published checkpoint with its configuration, and where it comes from.

    Args:
        source: a published file; target: the safetensors file to write.
        untold: what tensors do not say.
        corr_radius: one smaller than the checkpoint's, whose columns are kept; the checkpoint's own if None.
        use_track_mask: False for a model without.

    Returns:
        Sentences about what is not as it was trained; they stand in the file, too.

    Raises:
        UserError: when the file is missing or no checkpoint, or naming what does not fit.
    """
    state = read_published(source)
    size, recipe = detect(state, untold, str(source))
    changes: dict[str, Any] = {"use_track_mask": use_track_mask}
    changes |= {} if corr_radius is None else {"corr_radius": corr_radius}
    recipe = parse_section(Recipe, recipe.model_dump() | changes, str(source))
    if size.architecture != "cotracker2" and not use_track_mask:
        raise UserError(f"{source}: is of CoTracker3, which has no track mask; leave out --no-track-mask")
    model = build_model(size, recipe, Strategy())
    warnings = load_state(source, state, model, size, recipe)
    provenance = {"source": Path(source).name, "source_sha256": digest_of_file(Path(source))}
    provenance |= {"differs": json.dumps(warnings)} if warnings else {}
    save_model(target, model, size, recipe, **provenance)
    return warnings


def to_published(source: str | os.PathLike[str], target: str | os.PathLike[str]) -> list[str]:
    """Write the weights of our own file as a bare state dict under the published keys.

    Returns:
        Sentences about what published code would not compute as the model was trained.

    Raises:
        UserError: when the file is missing, damaged or of another kind.
    """
    model, size, recipe = load_model(source, Strategy())
    write_published(target, model.state_dict())
    return [f"{target}: published code computes something else: {why}" for why in _departures(size, recipe)]


def _departures(size: ModelSize, recipe: Recipe) -> Iterator[str]:
    """Why published code would compute something else with the weights."""
    published = ModelSize(architecture=size.architecture).model_dump()
    own = size.model_dump(exclude={"window_len", "model_resolution", "first_estimate"})
    if names := [name for name, value in own.items() if value != published[name]]:
        yield f"other sizes than the published models ({', '.join(names)}), which their code does not fit"
    if recipe.corr_radius != Recipe().corr_radius:
        yield f"correlation radius {recipe.corr_radius}, which the published code, of radius 3, does not fit"
    if size.first_estimate == "matching":
        yield "trained to start from matches, which the published code does not look for"
    if not recipe.use_track_mask:
        yield "trained without track mask, and the published code tells it one"
    masked = {"cotracker2": True, "cotracker3-online": False}.get(size.architecture)
    if masked not in (None, recipe.use_attention_mask):
        yield f"trained {'without' if masked else 'with'} attention mask, unlike the published models"
