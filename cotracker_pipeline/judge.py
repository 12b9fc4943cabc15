"""Decide the claims: holds, does not hold, or not decided and what it would take."""

import argparse
from pathlib import Path

from cotracker_pipeline.analysis.claims import judge_claims, load_claims
from cotracker_pipeline.analysis.command import table_parser
from cotracker_pipeline.analysis.evidence import read_evidence, read_step_times
from cotracker_pipeline.analysis.verdict_table import verdict_table
from cotracker_pipeline.analysis.writing import write_tables
from cotracker_pipeline.command import run
from cotracker_pipeline.config import load_study


def main() -> None:
    """Command line."""
    arguments = _parser().parse_args()
    study, claims = load_study(arguments.config), load_claims(arguments.claims)
    step_times = read_step_times(arguments.step_times, study)
    evidence = read_evidence(
        arguments.memory, arguments.accuracy, arguments.floors, arguments.losses, step_times
    )
    verdicts = judge_claims(claims, evidence)
    write_tables(verdict_table(study, verdicts, claims.limits), arguments.output)


def _parser() -> argparse.ArgumentParser:
    parser = table_parser("judge", __doc__)
    parser.add_argument("--claims", type=Path, required=True, help="file of claims, as config/claims.yaml")
    parser.add_argument(
        "--losses", type=Path, nargs="*", default=[], metavar="CSV", help="<variant>/seed-<n>/loss.csv"
    )
    parser.add_argument(
        "--step-times",
        type=Path,
        nargs="*",
        default=[],
        metavar="CSV",
        help="of interleaved runs, from benchmarks/measure_on_gpu.py",
    )
    return parser


if __name__ == "__main__":
    run(main)
