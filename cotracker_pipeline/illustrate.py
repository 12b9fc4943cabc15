"""Draw the figures of a study."""

import argparse
from pathlib import Path

from cotracker_pipeline.analysis import figures, timelines
from cotracker_pipeline.analysis.command import add_validation
from cotracker_pipeline.analysis.evidence import (
    read_accuracy,
    read_losses,
    read_predictions,
    read_validation,
)
from cotracker_pipeline.analysis.validation_figure import validation_figure
from cotracker_pipeline.command import run
from cotracker_pipeline.config import load_study


def main() -> None:
    """Command line."""
    arguments = _parser().parse_args()
    study = load_study(arguments.config)
    predictions = read_predictions(arguments.memory)
    accuracy, losses = read_accuracy(arguments.accuracy), read_losses(arguments.losses)
    figures.save_svg(figures.memory_figure(study, predictions), arguments.memory_figure)
    figures.save_svg(timelines.timelines_figure(study, predictions), arguments.timelines_figure)
    figures.save_svg(figures.inference_figure(study, predictions), arguments.inference_figure)
    figures.save_svg(figures.trade_off_figure(study, predictions, accuracy), arguments.trade_off_figure)
    figures.save_svg(figures.loss_figure(study, losses), arguments.loss_figure)
    if arguments.validation_figure:
        validation = read_validation(arguments.validation)
        figures.save_svg(validation_figure(study, validation), arguments.validation_figure)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m cotracker_pipeline.illustrate", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="study file")
    parser.add_argument("--memory", type=Path, nargs="+", required=True, metavar="JSON")
    parser.add_argument("--accuracy", type=Path, nargs="+", required=True, metavar="CSV")
    parser.add_argument("--losses", type=Path, nargs="+", required=True, metavar="CSV")
    for name, what in (
        ("memory", "what the training peaks consist of"),
        ("timelines", "memory over a training step, every variant on one scale"),
        ("inference", "inference peaks"),
        ("trade-off", "accuracy against memory"),
        ("loss", "training loss"),
    ):
        parser.add_argument(f"--{name}-figure", type=Path, required=True, metavar="SVG", help=what)
    add_validation(parser)
    parser.add_argument(
        "--validation-figure", type=Path, metavar="SVG", help="accuracy on the validation split, then, too"
    )
    return parser


if __name__ == "__main__":
    run(main)
