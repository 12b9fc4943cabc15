"""Rendering a shard of synthetic sequences."""

import os
from collections.abc import Iterator
from dataclasses import asdict, replace
from importlib.metadata import version
from typing import Any, Literal

from tqdm import tqdm

from cotracker_pipeline.data.engine import SceneSettings, render_sequence, sequence_seed
from cotracker_pipeline.data.engine.photographs import LICENCE
from cotracker_pipeline.data.store import Sequence, write_shard

# a change of any of these may change the pixels
ENGINE_PACKAGES = ("embreex", "mujoco", "numpy", "opencv-python-headless", "scipy", "trimesh")


def render_shard(
    path: str | os.PathLike[str],
    settings: SceneSettings,
    split: str,
    indices: range,
    seed: int,
    points: int,
    progress: bool = False,
    codec: Literal["raw", "jpeg"] = "raw",
) -> None:
    """Render the sequences ``indices`` of ``split`` into one shard.

    A sequence depends on ``seed``, ``split`` and its index only, so shards of any size hold the same ones.
    points: tracks per sequence; progress: show a bar on stderr.
    Raises ``UserError`` when the folder cannot be written or a photograph is missing.
    """
    provenance = {
        "source": "cotracker_pipeline.data.engine",
        "licence": _licence(settings),
        "split": split,
        "generator": _generator(settings, indices, seed, points),
    }
    steps = tqdm(indices, desc=f"rendering {split}", unit="sequence", disable=not progress)
    write_shard(path, _sequences(steps, settings, split, seed, points), provenance, codec)


def _sequences(
    indices: "tqdm[int]", settings: SceneSettings, split: str, seed: int, points: int
) -> Iterator[Sequence]:
    for index in indices:
        sequence = render_sequence(sequence_seed(seed, split, index), settings, points)
        yield replace(sequence, name=f"{split}-{index:06d}")


def _licence(settings: SceneSettings) -> str:
    own = [folder for folder in (settings.texture_folder, settings.mesh_folder) if folder is not None]
    parts = [] if settings.texture_folder is not None else [LICENCE]
    return "; ".join([*parts, *(f"terms of the files in {folder}" for folder in own)])


def _generator(settings: SceneSettings, indices: range, seed: int, points: int) -> dict[str, Any]:
    return {
        "settings": asdict(settings),
        "seed": seed,
        "points": points,
        "indices": [indices.start, indices.stop, indices.step],
        "packages": {name: version(name) for name in ENGINE_PACKAGES},
    }
