"""Evaluate a trained variant by the TAP-Vid protocol."""

import argparse
from pathlib import Path

from cotracker_pipeline.command import run
from cotracker_pipeline.config import load_study
from cotracker_pipeline.evaluation.command import evaluation_parser, write_evaluation
from cotracker_pipeline.models.predictors import load_trackers
from cotracker_pipeline.training.device import use_device


def main() -> None:
    """Command line."""
    arguments = _parser().parse_args()
    study = load_study(arguments.config)
    study.variant(arguments.variant)
    device = use_device(study.training.device, study.training.threads)
    trackers = load_trackers(arguments.checkpoint, study.evaluation, device)
    write_evaluation(trackers, arguments.variant, arguments, study.evaluation)


def _parser() -> argparse.ArgumentParser:
    parser = evaluation_parser("evaluate", __doc__)
    parser.add_argument("--variant", required=True, help="one of the study's variants")
    parser.add_argument(
        "--checkpoint", type=Path, required=True, help="model.safetensors of the variant, or a published .pth"
    )
    return parser


if __name__ == "__main__":
    run(main)
