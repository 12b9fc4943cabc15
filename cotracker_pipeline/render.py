"""Render one shard of synthetic clips with exact tracks and visibility."""

import argparse
from dataclasses import replace
from pathlib import Path

import cv2

from cotracker_pipeline.command import run
from cotracker_pipeline.config import Data, Rendered, Study, load_study
from cotracker_pipeline.data.engine import PRESETS, SceneSettings
from cotracker_pipeline.data.rendering import render_shard
from cotracker_pipeline.data.sharding import share
from cotracker_pipeline.errors import UserError


def main() -> None:
    """Command line."""
    arguments = _parser().parse_args()
    study = load_study(arguments.config)
    split = _rendered(study, arguments.split)
    if not 0 <= arguments.shard < split.shards:
        raise UserError(
            f"{arguments.config}: data.{arguments.split}.render.shards is {split.shards}, "
            f"so there is no shard {arguments.shard}; give 0 to {split.shards - 1}"
        )
    # one job is one core; the workflow runs several jobs side by side
    cv2.setNumThreads(1)
    render_shard(
        arguments.output,
        scene_settings(split, arguments.split),
        arguments.split,
        shard_indices(split, arguments.shard),
        study.seed,
        split.points,
        progress=True,
        codec=split.codec,
    )


def scene_settings(split: Rendered, name: str) -> SceneSettings:
    """Settings of the scenes of a split; only training sees the training photographs."""
    return replace(
        PRESETS[split.preset],
        frames=split.frames,
        height=split.height,
        width=split.width,
        motion_blur=split.motion_blur,
        textures="train" if name == "train" else "held-out",
        texture_folder=_text(split.textures),
        mesh_folder=_text(split.meshes),
    )


def shard_indices(split: Rendered, shard: int) -> range:
    """The sequences of one shard; all shards together hold each sequence once."""
    return range(split.sequences)[share(split.sequences, shard, split.shards)]


def _text(folder: Path | None) -> str | None:
    return None if folder is None else str(folder)


def _rendered(study: Study, split: str) -> Rendered:
    rendered = getattr(study.data, split).render
    if rendered is None:
        raise UserError(f"study '{study.study}': data.{split} has files, so there is nothing to render")
    return rendered


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m cotracker_pipeline.render", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="study file")
    parser.add_argument("--split", choices=tuple(Data.model_fields), required=True)
    parser.add_argument("--shard", type=int, required=True, help="number of the shard, from 0")
    parser.add_argument("--output", type=Path, required=True, metavar="H5", help="file to write")
    return parser


if __name__ == "__main__":
    run(main)
