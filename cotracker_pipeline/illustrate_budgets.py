"""Draw what fits on which card."""

import argparse
from pathlib import Path

from cotracker_pipeline.analysis.budgets_figure import budgets_figure
from cotracker_pipeline.analysis.evidence import read_budgets
from cotracker_pipeline.analysis.figures import save_svg
from cotracker_pipeline.command import run
from cotracker_pipeline.config import load_study


def main() -> None:
    """Command line."""
    arguments = _parser().parse_args()
    study = load_study(arguments.config)
    save_svg(budgets_figure(study, read_budgets(arguments.budgets)), arguments.output)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m cotracker_pipeline.illustrate_budgets", description=__doc__
    )
    parser.add_argument("--config", type=Path, required=True, help="study file")
    parser.add_argument("--budgets", type=Path, required=True, metavar="JSON", help="from plan_budgets")
    parser.add_argument("--output", type=Path, required=True, metavar="SVG", help="file to write")
    return parser


if __name__ == "__main__":
    run(main)
