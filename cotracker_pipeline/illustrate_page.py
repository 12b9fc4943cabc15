"""Draw the interactive figures of a study, on one page that needs no network."""

import argparse
from pathlib import Path

from cotracker_pipeline.analysis.chart_page import chart_page
from cotracker_pipeline.analysis.command import add_validation
from cotracker_pipeline.analysis.evidence import read_evidence, read_step_times
from cotracker_pipeline.command import run
from cotracker_pipeline.config import load_study
from cotracker_pipeline.files import write_text


def main() -> None:
    """Command line."""
    arguments = _parser().parse_args()
    study = load_study(arguments.config)
    evidence = read_evidence(
        arguments.memory,
        arguments.accuracy,
        [],
        arguments.losses,
        read_step_times([], study),
        arguments.validation,
    )
    write_text(arguments.output, chart_page(study, evidence))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m cotracker_pipeline.illustrate_page", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="study file")
    parser.add_argument("--memory", type=Path, nargs="+", required=True, metavar="JSON")
    parser.add_argument("--accuracy", type=Path, nargs="+", required=True, metavar="CSV")
    parser.add_argument("--losses", type=Path, nargs="+", required=True, metavar="CSV")
    add_validation(parser)
    parser.add_argument("--output", type=Path, required=True, metavar="HTML", help="file to write")
    return parser


if __name__ == "__main__":
    run(main)
