"""Evaluate a trained variant, or a floor that needs no training, by the TAP-Vid protocol."""

import argparse
from pathlib import Path

from tqdm import tqdm

from cotracker_pipeline.command import run
from cotracker_pipeline.config import Study, load_study
from cotracker_pipeline.evaluation.baselines import BASELINES
from cotracker_pipeline.evaluation.benchmark import evaluate_shards
from cotracker_pipeline.evaluation.tracker import PointTracker
from cotracker_pipeline.files import atomic_path
from cotracker_pipeline.models.predictors import load_tracker
from cotracker_pipeline.training.device import use_device


def main() -> None:
    """Command line."""
    parser = _parser()
    arguments = parser.parse_args()
    study = load_study(arguments.config)
    if arguments.baseline:
        tracker = BASELINES[arguments.baseline]
    elif arguments.variant and arguments.checkpoint:
        tracker = trained_tracker(study, arguments.variant, arguments.checkpoint, arguments.query_mode)
    else:
        parser.error("give either --baseline, or --variant and --checkpoint")
    with tqdm(desc=arguments.baseline or arguments.variant, unit="video") as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        rows = evaluate_shards(
            tracker, arguments.data, arguments.query_mode, show, study.evaluation.max_tracks
        )
    with atomic_path(arguments.output) as temporary:
        rows.to_csv(temporary, index=False)


def trained_tracker(study: Study, variant: str, checkpoint: Path, query_mode: str) -> PointTracker:
    """The tracker of a checkpoint; strided queries are also tracked backwards."""
    study.variant(variant)
    device = use_device(study.training.device, study.training.threads)
    return load_tracker(checkpoint, study.evaluation, backward=query_mode == "strided", device=device)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m cotracker_pipeline.evaluate", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="study file")
    parser.add_argument("--variant", help="one of the study's variants, with --checkpoint")
    parser.add_argument("--checkpoint", type=Path, help="model.safetensors of the variant")
    parser.add_argument("--baseline", choices=sorted(BASELINES), help="a floor instead of a variant")
    parser.add_argument("--query-mode", choices=("first", "strided"), required=True)
    parser.add_argument(
        "--data", type=Path, nargs="+", required=True, metavar="H5", help="shards to evaluate on"
    )
    parser.add_argument("--output", type=Path, required=True, metavar="CSV", help="file to write")
    return parser


if __name__ == "__main__":
    run(main)
