"""Evaluate a trained variant by the TAP-Vid protocol."""

import argparse
from pathlib import Path

from cotracker_pipeline.command import run
from cotracker_pipeline.config import Study, load_study
from cotracker_pipeline.evaluation.command import evaluation_parser, write_evaluation
from cotracker_pipeline.evaluation.tracker import PointTracker
from cotracker_pipeline.models.predictors import load_tracker
from cotracker_pipeline.training.device import use_device


def main() -> None:
    """Command line."""
    arguments = _parser().parse_args()
    study = load_study(arguments.config)
    tracker = trained_tracker(study, arguments.variant, arguments.checkpoint, arguments.query_mode)
    write_evaluation(tracker, arguments.variant, arguments, study.evaluation.max_tracks)


def trained_tracker(study: Study, variant: str, checkpoint: Path, query_mode: str) -> PointTracker:
    """The tracker of a checkpoint; strided queries are also tracked backwards."""
    study.variant(variant)
    device = use_device(study.training.device, study.training.threads)
    return load_tracker(checkpoint, study.evaluation, backward=query_mode == "strided", device=device)


def _parser() -> argparse.ArgumentParser:
    parser = evaluation_parser("evaluate", __doc__)
    parser.add_argument("--variant", required=True, help="one of the study's variants")
    parser.add_argument("--checkpoint", type=Path, required=True, help="model.safetensors of the variant")
    return parser


if __name__ == "__main__":
    run(main)
