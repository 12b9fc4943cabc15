"""Draw the memory of one variant over a training step, with its peak in words."""

import argparse
from pathlib import Path

from cotracker_pipeline.analysis.evidence import read_predictions
from cotracker_pipeline.analysis.figures import save_svg
from cotracker_pipeline.analysis.timelines import timeline_figure
from cotracker_pipeline.command import run
from cotracker_pipeline.config import load_study


def main() -> None:
    """Command line."""
    arguments = _parser().parse_args()
    study = load_study(arguments.config)
    (prediction,) = read_predictions([arguments.memory]).values()
    save_svg(timeline_figure(study, prediction), arguments.output)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m cotracker_pipeline.illustrate_timeline", description=__doc__
    )
    parser.add_argument("--config", type=Path, required=True, help="study file")
    parser.add_argument("--memory", type=Path, required=True, metavar="JSON", help="from predict_memory")
    parser.add_argument("--output", type=Path, required=True, metavar="SVG")
    return parser


if __name__ == "__main__":
    run(main)
