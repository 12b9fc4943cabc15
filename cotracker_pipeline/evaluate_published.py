"""Evaluate a checkpoint on one set of the study's section published."""

import argparse
from functools import partial
from pathlib import Path

from cotracker_pipeline.command import run
from cotracker_pipeline.config import load_study
from cotracker_pipeline.data.coordinates import CONVENTIONS
from cotracker_pipeline.evaluation.benchmark import measure_shards
from cotracker_pipeline.evaluation.command import evaluation_parser, write_rows
from cotracker_pipeline.evaluation.measures import measures_of
from cotracker_pipeline.evaluation.resized import resized
from cotracker_pipeline.models.predictors import load_trackers
from cotracker_pipeline.training.device import use_device


def main() -> None:
    """Command line."""
    arguments = _parser().parse_args()
    study = load_study(arguments.config)
    chosen, evaluation = study.published_evaluation(arguments.name, arguments.set)
    device = use_device(study.training.device, study.training.threads)
    trackers = resized(load_trackers(arguments.checkpoint, evaluation, device), evaluation.video_side)
    measures = measures_of(chosen.metrics, trackers, CONVENTIONS[evaluation.coords].side)
    evaluate = partial(
        measure_shards,
        measures,
        arguments.data,
        max_tracks=evaluation.max_tracks,
        max_frames=chosen.max_frames,
    )
    write_rows(evaluate, f"{arguments.name} on {arguments.set}", arguments.output)


def _parser() -> argparse.ArgumentParser:
    parser = evaluation_parser("evaluate_published", __doc__)
    parser.add_argument("--name", required=True, help="one of the study's published.checkpoints")
    parser.add_argument("--set", required=True, help="one of the study's published.sets")
    parser.add_argument(
        "--checkpoint", type=Path, required=True, help="its file: model.safetensors, or as published"
    )
    return parser


if __name__ == "__main__":
    run(main)
