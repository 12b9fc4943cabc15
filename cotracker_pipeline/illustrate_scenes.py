"""Show samples of the scenes that a study is trained and evaluated on."""

import argparse
from pathlib import Path

from cotracker_pipeline.analysis.scenes import read_scenes, scenes_page
from cotracker_pipeline.command import run
from cotracker_pipeline.files import write_text


def main() -> None:
    """Command line."""
    arguments = _parser().parse_args()
    splits = {"Training": arguments.train, "Evaluation": arguments.eval}
    shown = {name: list(read_scenes(shard, arguments.scenes)) for name, shard in splits.items()}
    write_text(arguments.output, scenes_page(shown))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m cotracker_pipeline.illustrate_scenes", description=__doc__
    )
    parser.add_argument("--train", type=Path, required=True, metavar="H5", help="shard of the train split")
    parser.add_argument("--eval", type=Path, required=True, metavar="H5", help="shard of the eval split")
    parser.add_argument("--scenes", type=int, default=4, help="at most so many of each (default: 4)")
    parser.add_argument("--output", type=Path, required=True, metavar="HTML")
    return parser


if __name__ == "__main__":
    run(main)
