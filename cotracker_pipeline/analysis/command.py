"""What the command lines of the steps that write tables and figures share."""

import argparse
from pathlib import Path

from cotracker_pipeline.analysis.writing import table_path


def table_parser(step: str, description: str | None) -> argparse.ArgumentParser:
    """The arguments of every table: study, what was measured, and the files to write."""
    parser = argparse.ArgumentParser(prog=f"python -m cotracker_pipeline.{step}", description=description)
    parser.add_argument("--config", type=Path, required=True, help="study file")
    for name, metavar, what in (
        ("memory", "JSON", "from predict_memory"),
        ("accuracy", "CSV", "evaluations <variant>/seed-<n>/evaluation.csv"),
        ("floors", "CSV", "evaluations <baseline>/evaluation.csv"),
    ):
        parser.add_argument(f"--{name}", type=Path, nargs="*", default=[], metavar=metavar, help=what)
    add_table_files(parser)
    return parser


def add_validation(parser: argparse.ArgumentParser) -> None:
    """The argument that names validation curves."""
    parser.add_argument(
        "--validation",
        type=Path,
        nargs="*",
        default=[],
        metavar="CSV",
        help="<variant>/seed-<n>/validation.csv, if trainings were validated",
    )


def add_table_files(parser: argparse.ArgumentParser) -> None:
    """The argument that names the files to write."""
    parser.add_argument(
        "--output",
        type=table_path,
        nargs="+",
        required=True,
        metavar="FILE",
        help="one or more of .csv (tidy), .md, .tex, .html",
    )
