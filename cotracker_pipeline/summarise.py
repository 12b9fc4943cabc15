"""Write the front page of the report: which configuration for which card, its costs, how sure that is."""

import argparse
from pathlib import Path

from cotracker_pipeline.analysis.accuracy_table import accuracy_summaries
from cotracker_pipeline.analysis.evidence import (
    read_accuracy,
    read_budgets,
    read_floors,
    read_measurements,
    read_predictions,
    read_verdicts,
)
from cotracker_pipeline.analysis.front_page import Answers, front_page
from cotracker_pipeline.command import run
from cotracker_pipeline.config import load_study
from cotracker_pipeline.files import write_text


def main() -> None:
    """Command line."""
    arguments = _parser().parse_args()
    accuracy = read_accuracy(arguments.accuracy)
    first = accuracy[accuracy["query_mode"] == "first"]
    answers = Answers(
        read_budgets(arguments.budgets),
        read_predictions(arguments.memory),
        read_measurements(arguments.measured),
        accuracy_summaries(first, read_floors([])),
        accuracy["seed"].nunique(),
        read_verdicts(arguments.verdicts) if arguments.verdicts else None,
    )
    write_text(arguments.output, front_page(load_study(arguments.config), answers))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m cotracker_pipeline.summarise", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="study file")
    parser.add_argument("--budgets", type=Path, required=True, metavar="JSON", help="from plan_budgets")
    parser.add_argument("--memory", type=Path, nargs="+", required=True, metavar="JSON")
    parser.add_argument("--measured", type=Path, nargs="*", default=[], metavar="JSON")
    parser.add_argument("--accuracy", type=Path, nargs="+", required=True, metavar="CSV")
    parser.add_argument("--verdicts", type=Path, metavar="CSV", help="from judge")
    parser.add_argument("--output", type=Path, required=True, metavar="HTML", help="file to write")
    return parser


if __name__ == "__main__":
    run(main)
