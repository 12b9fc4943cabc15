"""Evaluate a floor that needs no training by the TAP-Vid protocol."""

import argparse

from cotracker_pipeline.command import run
from cotracker_pipeline.config import load_study
from cotracker_pipeline.evaluation.baselines import BASELINES
from cotracker_pipeline.evaluation.command import evaluation_parser, write_evaluation
from cotracker_pipeline.evaluation.tracker import PointTracker


def main() -> None:
    """Command line."""
    arguments = _parser().parse_args()
    study = load_study(arguments.config)
    trackers: dict[str, PointTracker] = dict.fromkeys(
        study.evaluation.query_modes, BASELINES[arguments.baseline]
    )
    write_evaluation(trackers, arguments.baseline, arguments, study.evaluation)


def _parser() -> argparse.ArgumentParser:
    parser = evaluation_parser("evaluate_baseline", __doc__)
    parser.add_argument("--baseline", choices=sorted(BASELINES), required=True)
    return parser


if __name__ == "__main__":
    run(main)
