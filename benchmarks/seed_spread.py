"""What the accuracy of a study spreads by: of its seeds, its videos, and neither, and what that resolves.

    PYTHONPATH=. python benchmarks/seed_spread.py results/default > spread.csv

Of each variant the paired difference to the baseline, over the seeds and videos that both have; variances in
squared points (hundredths). Needs two seeds or more. ``half_width``: of the expected 95 % interval.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from cotracker_pipeline.analysis.evidence import METRICS, read_accuracy
from cotracker_pipeline.analysis.sample_size import spread_of
from cotracker_pipeline.analysis.statistics import paired_differences
from cotracker_pipeline.command import run
from cotracker_pipeline.errors import UserError


def main() -> None:
    """Command line."""
    arguments = _parser().parse_args()
    accuracy = read_accuracy(sorted(arguments.results.glob("eval/*/seed-*/evaluation.csv")))
    rows = pd.DataFrame(list(_rows(accuracy)))
    if rows.empty:
        raise UserError(
            f"{arguments.results}: no variant has two seeds that the baseline has too; train more seeds"
        )
    rows.to_csv(sys.stdout, index=False, float_format="%.3f", lineterminator="\n")


def _rows(accuracy: pd.DataFrame) -> Iterator[dict[str, Any]]:
    for (mode, name), runs in accuracy.groupby(["query_mode", "variant"]):
        baseline = accuracy[(accuracy["query_mode"] == mode) & (accuracy["variant"] == "baseline")]
        for metric in METRICS if name != "baseline" else ():
            points = 100 * paired_differences(runs, baseline, metric)
            if points.shape[0] > 1:
                spread = spread_of(points)
                yield {
                    "variant": name,
                    "query_mode": mode,
                    "metric": metric,
                    "seeds": points.shape[0],
                    "videos": points.shape[1],
                    "difference": points.mean(),
                    **spread._asdict(),
                    "half_width": spread.half_width(*points.shape),
                }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("results", type=Path, help="folder of a study's results")
    return parser


if __name__ == "__main__":
    run(main)
