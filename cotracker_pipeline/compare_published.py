"""Write the table of what was measured of published checkpoints beside their published numbers."""

import argparse
from pathlib import Path

from cotracker_pipeline.analysis.command import add_table_files
from cotracker_pipeline.analysis.published_numbers import load_numbers, read_measured
from cotracker_pipeline.analysis.published_table import published_table
from cotracker_pipeline.analysis.writing import write_tables
from cotracker_pipeline.command import run
from cotracker_pipeline.config import load_study
from cotracker_pipeline.errors import UserError


def main() -> None:
    """Command line."""
    arguments = _parser().parse_args()
    study = load_study(arguments.config)
    if study.published is None:
        raise UserError(f"{arguments.config}: has no section published; give another study")
    measured = read_measured(arguments.evaluations)
    write_tables(
        published_table(study.published, load_numbers(arguments.numbers), measured), arguments.output
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m cotracker_pipeline.compare_published", description=__doc__
    )
    parser.add_argument("--config", type=Path, required=True, help="study file")
    parser.add_argument(
        "--numbers", type=Path, required=True, metavar="YAML", help="file of published numbers"
    )
    parser.add_argument(
        "--evaluations",
        type=Path,
        nargs="*",
        default=[],
        metavar="CSV",
        help="of evaluate_published: <checkpoint>/<set>/evaluation.csv",
    )
    add_table_files(parser)
    return parser


if __name__ == "__main__":
    run(main)
