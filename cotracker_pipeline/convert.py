"""Convert one share of a published data set, or of your own frames, to an HDF5 shard."""

import argparse
from pathlib import Path

import cv2

from cotracker_pipeline.command import run
from cotracker_pipeline.data.conversion import convert_shard
from cotracker_pipeline.data.formats import FORMATS
from cotracker_pipeline.errors import UserError


def main() -> None:
    """Command line."""
    arguments = _parser().parse_args()
    if arguments.shards < 1 or not 0 <= arguments.shard < arguments.shards:
        raise UserError(
            f"--shard {arguments.shard} --shards {arguments.shards}: give a shard from 0 to shards - 1"
        )
    if arguments.workers < 1:
        raise UserError(f"--workers {arguments.workers}: give at least 1")
    # sequences are read side by side, not the rows of one frame
    cv2.setNumThreads(1)
    convert_shard(
        arguments.output,
        arguments.format,
        arguments.input,
        arguments.shard,
        arguments.shards,
        arguments.codec,
        arguments.workers,
        progress=True,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m cotracker_pipeline.convert", description=__doc__)
    parser.add_argument("--format", choices=FORMATS, required=True, help="layout of the input")
    parser.add_argument(
        "--input", type=Path, required=True, metavar="PATH", help="file or folder as published"
    )
    parser.add_argument("--output", type=Path, required=True, metavar="H5", help="file to write")
    parser.add_argument("--shard", type=int, default=0, help="number of the share, from 0")
    parser.add_argument("--shards", type=int, default=1, help="shares that the sequences are divided among")
    parser.add_argument(
        "--codec", choices=("raw", "jpeg"), help="raw for benchmarks and jpeg for training sets unless given"
    )
    parser.add_argument("--workers", type=int, default=1, help="sequences read at a time")
    return parser


if __name__ == "__main__":
    run(main)
