"""What the command lines of the steps that evaluate share."""

import argparse
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import pandas as pd
from tqdm import tqdm

from cotracker_pipeline.config import Evaluation
from cotracker_pipeline.data.coordinates import CONVENTIONS
from cotracker_pipeline.evaluation.benchmark import evaluate_shards
from cotracker_pipeline.evaluation.resized import resized
from cotracker_pipeline.evaluation.tracker import PointTracker
from cotracker_pipeline.files import atomic_path


def evaluation_parser(step: str, description: str | None) -> argparse.ArgumentParser:
    """The arguments of every evaluation: study, data and output."""
    parser = argparse.ArgumentParser(prog=f"python -m cotracker_pipeline.{step}", description=description)
    parser.add_argument("--config", type=Path, required=True, help="study file")
    parser.add_argument(
        "--data", type=Path, nargs="+", required=True, metavar="H5", help="shards to evaluate on"
    )
    parser.add_argument("--output", type=Path, required=True, metavar="CSV", help="file to write")
    return parser


def write_evaluation(
    trackers: Mapping[str, PointTracker], name: str, arguments: argparse.Namespace, evaluation: Evaluation
) -> None:
    """Evaluate ``trackers``, one a query mode, and write a row a video and mode; progress goes to stderr."""
    write_rows(evaluation_of(trackers, arguments.data, evaluation), name, arguments.output)


def evaluation_of(
    trackers: Mapping[str, PointTracker], shards: Sequence[Path], evaluation: Evaluation
) -> Callable[..., pd.DataFrame]:
    """``evaluate_shards`` as ``evaluation`` wants it; whom to tell its ``progress`` is still to be given."""
    return partial(
        evaluate_shards,
        resized(trackers, evaluation.video_side),
        shards,
        max_tracks=evaluation.max_tracks,
        metric_size=CONVENTIONS[evaluation.coords].side,
    )


def write_rows(evaluate: Callable[..., pd.DataFrame], name: str, output: Path) -> None:
    """Write the rows of ``shown_rows``."""
    rows = shown_rows(evaluate, name)
    with atomic_path(output) as temporary:
        rows.to_csv(temporary, index=False)


def shown_rows(evaluate: Callable[..., pd.DataFrame], name: str) -> pd.DataFrame:
    """What ``evaluate``, told whom to tell its ``progress``, returns; progress goes to stderr."""
    # no bar is left below that of another one
    with tqdm(desc=name, unit="video", leave=None) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        return evaluate(progress=show)
