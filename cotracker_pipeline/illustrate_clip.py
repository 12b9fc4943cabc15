"""Draw predicted tracks over ground truth on the first video of a shard."""

import argparse
from pathlib import Path

from cotracker_pipeline.analysis.clips import draw_tracks, write_clip
from cotracker_pipeline.analysis.example import track_example
from cotracker_pipeline.command import run
from cotracker_pipeline.config import load_study
from cotracker_pipeline.models.predictors import load_trackers


def main() -> None:
    """Command line."""
    arguments = _parser().parse_args()
    study = load_study(arguments.config)
    trackers = load_trackers(arguments.checkpoint, study.evaluation)
    example = track_example(trackers[study.evaluation.query_modes[0]], arguments.data, arguments.tracks)
    caption = (
        f"{arguments.variant}: dot = predicted visible, ring = predicted occluded, "
        "white cross = ground truth where it is visible, joined to its prediction."
    )
    write_clip(draw_tracks(*example), arguments.output, caption)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m cotracker_pipeline.illustrate_clip", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="study file")
    parser.add_argument("--variant", required=True, help="name that the caption gives")
    parser.add_argument("--checkpoint", type=Path, required=True, help="model.safetensors of that variant")
    parser.add_argument("--data", type=Path, required=True, metavar="H5", help="shard of the eval split")
    parser.add_argument("--tracks", type=int, default=24, help="at most so many are drawn (default: 24)")
    parser.add_argument("--output", type=Path, required=True, metavar="HTML")
    return parser


if __name__ == "__main__":
    run(main)
