"""Show the tracks that variants predict over the truth, on the first videos of a shard."""

import argparse
from collections.abc import Iterator
from pathlib import Path

from cotracker_pipeline.analysis.clips import clips_page
from cotracker_pipeline.analysis.evidence import run_of
from cotracker_pipeline.analysis.example import Example, track_example, video_names
from cotracker_pipeline.command import run
from cotracker_pipeline.config import Study, load_study
from cotracker_pipeline.files import write_text
from cotracker_pipeline.models.predictors import load_trackers
from cotracker_pipeline.training.device import use_device


def main() -> None:
    """Command line."""
    arguments = _parser().parse_args()
    names = video_names(arguments.data)[: arguments.videos]
    predicted = dict(_predicted(load_study(arguments.config), arguments, len(names)))
    examples = [{name: of[index] for name, of in predicted.items()} for index in range(len(names))]
    write_text(arguments.output, clips_page(examples, names))


def _predicted(
    study: Study, arguments: argparse.Namespace, videos: int
) -> Iterator[tuple[str, list[Example]]]:
    """Each variant with what it predicts on each video, one model in memory at a time."""
    device = use_device(study.training.device, threads=1)
    for checkpoint in arguments.checkpoints:
        tracker = load_trackers(checkpoint, study.evaluation, device)[study.evaluation.query_modes[0]]
        of_videos = [
            track_example(tracker, arguments.data, arguments.tracks, index) for index in range(videos)
        ]
        yield run_of(checkpoint)["variant"], of_videos


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m cotracker_pipeline.illustrate_clips", description=__doc__
    )
    parser.add_argument("--config", type=Path, required=True, help="study file")
    parser.add_argument(
        "--checkpoints",
        type=Path,
        nargs="+",
        required=True,
        metavar="MODEL",
        help="trained models <variant>/seed-<n>/model.safetensors",
    )
    parser.add_argument("--data", type=Path, required=True, metavar="H5", help="shard of the eval split")
    parser.add_argument("--videos", type=int, default=2, help="at most so many are shown (default: 2)")
    parser.add_argument("--tracks", type=int, default=24, help="at most so many are drawn (default: 24)")
    parser.add_argument("--output", type=Path, required=True, metavar="HTML")
    return parser


if __name__ == "__main__":
    run(main)
