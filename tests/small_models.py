"""Sizes of models that are quick to run."""

from typing import get_args

from cotracker_pipeline.config import Architecture, ModelSize

#: For clips of about 64x96, with windows as long as the published ones.
SMALL = ModelSize(
    model_resolution=(64, 96),
    num_virtual_tracks=8,
    feature_dim=32,
    encoder_widths=(16, 16, 24, 32, 32),
    hidden_size=48,
    num_heads=4,
    depth=1,
)

#: The same as keys of a study file.
SMALL_KEYS = SMALL.model_dump(mode="json", exclude_unset=True)

#: For clips of about 32x48, with windows of four frames.
TINY = ModelSize(
    window_len=4,
    num_virtual_tracks=4,
    model_resolution=(32, 48),
    corr_levels=2,
    feature_dim=16,
    encoder_widths=(8, 8, 8, 16, 16),
    hidden_size=16,
    num_heads=2,
    depth=1,
)

#: The same of every architecture.
TINY_OF: dict[str, ModelSize] = {
    name: TINY.model_copy(update={"architecture": name}) for name in get_args(Architecture)
}

SMALL_OF: dict[str, ModelSize] = {
    name: SMALL.model_copy(update={"architecture": name}) for name in get_args(Architecture)
}
