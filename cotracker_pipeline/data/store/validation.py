"""Checking the content of a shard."""

import os
from collections.abc import Iterator

import h5py
import numpy as np

from cotracker_pipeline.data.store.layout import damage_told, open_shard, shape_problems

# positions are float32: a visible point may sit on the very edge of the image
EDGE_TOLERANCE = 1e-3


def validate_shard(path: str | os.PathLike[str]) -> list[str]:
    """Read a whole shard but its pixels and list what is wrong, one sentence a problem; empty: it is good.

    Raises ``UserError`` when the file cannot be opened at all (see ``open_shard``) or read.
    """
    with open_shard(path) as file, damage_told(f"{path}"):
        problems = [f"attribute {key!r} is missing" for key in ("source", "licence") if key not in file.attrs]
        for name, group in file["seq"].items():
            found = list(shape_problems(group)) or list(_content_problems(group))
            problems += [f"{name}: {problem}" for problem in found]
    return problems


def _content_problems(group: h5py.Group) -> Iterator[str]:
    tracks, visible = group["tracks"][:], group["visible"][:]
    height, width = group.attrs["H"], group.attrs["W"]
    seen = tracks[visible]
    if not np.isfinite(seen).all():
        yield "a visible point has no finite position"
    if (seen < -EDGE_TOLERANCE).any() or (seen > np.array([width, height]) + EDGE_TOLERANCE).any():
        yield "a visible point lies outside the image"
    if "valid" in group and (visible & ~group["valid"][:]).any():
        yield "a visible point is marked as not annotated"
    if never := int((~visible.any(axis=1)).sum()):
        yield f"{never} tracks are never visible"
    if "jpeg" in group:
        offsets = group["jpeg_offset"][:]
        if (np.diff(offsets) <= 0).any() or offsets[0] != 0 or offsets[-1] != len(group["jpeg"]):
            yield "jpeg_offset does not fit jpeg"
