"""Track points through a video of your own, which needs no labels.

DIR gets overlay.mp4, tracks.npz and, but for --dense, tracks.csv. Positions are in raster pixels: the centre
of the first pixel is (0.5, 0.5).
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from cotracker_pipeline.analysis.overlay import draw_overlay
from cotracker_pipeline.analysis.video_files import write_video
from cotracker_pipeline.command import run
from cotracker_pipeline.config import Strategy
from cotracker_pipeline.data.formats.images import frames_per_second, read_frames_or_video, read_mask
from cotracker_pipeline.data.formats.query_table import read_queries
from cotracker_pipeline.data.track_files import write_csv, write_npz
from cotracker_pipeline.errors import UserError
from cotracker_pipeline.files import make_folder
from cotracker_pipeline.models.checkpoints import load_model
from cotracker_pipeline.models.user_predictor import (
    SUPPORT_GRID,
    PointTracks,
    UserPredictor,
    visibility_threshold,
)
from cotracker_pipeline.models.user_queries import Queries, grid_queries, inside, interleaved, pixel_queries
from cotracker_pipeline.rungs import TRACKING
from cotracker_pipeline.training.device import choose_device

GRID_SIDE = 20
"""Of the grid that is tracked when nothing else is asked for."""

FRAMES_PER_SECOND = 10.0
"""Of the overlay where the video does not state it."""


def main() -> None:
    """Command line."""
    arguments = _parser().parse_args()
    _check(arguments)
    video = read_frames_or_video(arguments.video)
    loaded = load_model(arguments.checkpoint, Strategy(**TRACKING))
    queries = _queries(arguments, video, loaded.size.model_resolution)
    predictor = UserPredictor(
        loaded.model.to(choose_device(arguments.device)),
        loaded.size.model_resolution,
        arguments.visibility_threshold or visibility_threshold(loaded.size.architecture),
        # a grid over all of the video supports itself
        SUPPORT_GRID if arguments.queries or arguments.mask else 0,
        arguments.backward,
        arguments.iterations,
    )
    tracks = _track(predictor, video, queries, _groups(arguments, queries, video.shape[1:3]))
    _write(arguments, video, tracks)


def _check(arguments: argparse.Namespace) -> None:
    """What can be told before anything is read. Raises ``UserError``."""
    if arguments.queries and (arguments.mask or arguments.query_frame is not None):
        raise UserError("--queries names points and their frames; leave out --mask and --query-frame")
    for option in ("grid", "iterations"):
        if (value := getattr(arguments, option)) is not None and value < 1:
            raise UserError(f"--{option} {value}: give at least 1")
    threshold = arguments.visibility_threshold
    if threshold is not None and not 0 < threshold < 1:
        raise UserError(f"--visibility-threshold {threshold}: give a number between 0 and 1")
    choose_device(arguments.device)
    make_folder(arguments.output / "tracks.npz")


def _queries(arguments: argparse.Namespace, video: NDArray[np.uint8], resolution: tuple[int, int]) -> Queries:
    frames, size = len(video), (video.shape[1], video.shape[2])
    if arguments.queries:
        return read_queries(arguments.queries, frames, size)
    frame = arguments.query_frame or 0
    if not 0 <= frame < frames:
        raise UserError(
            f"--query-frame {frame}: {arguments.video} has the frames 0 to {frames - 1}; give one"
        )
    if arguments.dense:
        whole = pixel_queries(frame, size)
    else:
        whole = grid_queries(arguments.grid or GRID_SIDE, frame, size, resolution)
    return _inside_mask(arguments, whole, size) if arguments.mask else whole


def _inside_mask(arguments: argparse.Namespace, queries: Queries, size: tuple[int, int]) -> Queries:
    mask = read_mask(arguments.mask)
    if mask.shape != size:
        raise UserError(
            f"{arguments.mask}: is {mask.shape[1]}x{mask.shape[0]} pixels, the video {size[1]}x{size[0]}; "
            "give a mask of its size"
        )
    kept = inside(queries, mask)
    if not len(kept):
        raise UserError(f"{arguments.mask}: no point lies where it is not black; enlarge it, or raise --grid")
    return kept


def _groups(
    arguments: argparse.Namespace, queries: Queries, size: tuple[int, int]
) -> list[NDArray[np.int64]]:
    return interleaved(queries, size) if arguments.dense else [np.arange(len(queries))]


def _track(
    predictor: UserPredictor, video: NDArray[np.uint8], queries: Queries, groups: list[NDArray[np.int64]]
) -> PointTracks:
    try:
        with tqdm(desc="encoding", unit="frame", total=len(video)) as bar:
            encoded = predictor.encode(video, bar.update)
        with tqdm(desc="tracking", unit="point", total=len(queries)) as bar:
            return predictor.track_groups(encoded, queries, groups, bar.update)
    except torch.OutOfMemoryError as error:
        raise UserError("the memory of the GPU ran out; track fewer points, or on --device cpu") from error


def _write(arguments: argparse.Namespace, video: NDArray[np.uint8], tracks: PointTracks) -> None:
    labels = tracks.tracks, tracks.visible, tracks.valid
    write_npz(arguments.output / "tracks.npz", *labels, tracks.queries)
    table = arguments.output / "tracks.csv"
    if arguments.dense:
        # a table of every pixel would have millions of rows; one from before would tell of other tracks
        table.unlink(missing_ok=True)
    else:
        write_csv(table, *labels)
    drawn = draw_overlay(video, tracks.tracks, tracks.visible, tracks.queries)
    frames = tqdm(drawn, "drawing", len(video), unit="frame")
    rate = frames_per_second(arguments.video) or FRAMES_PER_SECOND
    write_video(arguments.output / "overlay.mp4", frames, rate)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m cotracker_pipeline.track",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "video", type=Path, metavar="VIDEO", help="video file, or folder of PNG or JPEG files"
    )
    parser.add_argument(
        "--checkpoint",
        type=Path,
        required=True,
        metavar="FILE",
        help="model.safetensors of the train step, or a published .pth of CoTracker2 or CoTracker3",
    )
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="folder to write to")
    points = parser.add_mutually_exclusive_group()
    points.add_argument(
        "--grid", type=int, metavar="N", help=f"track a regular grid of NxN points (default: {GRID_SIDE})"
    )
    points.add_argument(
        "--queries",
        type=Path,
        metavar="CSV",
        help="track the points of a table with columns frame, x, y, or frame, column, row in pixel indices",
    )
    points.add_argument("--dense", action="store_true", help="track every pixel, some thousand at a time")
    parser.add_argument(
        "--mask", type=Path, metavar="PNG", help="of the grid or pixels, track those where it is not black"
    )
    parser.add_argument(
        "--query-frame", type=int, metavar="T", help="frame of the grid, pixels and mask (default: 0)"
    )
    parser.add_argument(
        "--backward", action="store_true", help="also track back from each query, in the reversed video"
    )
    parser.add_argument(
        "--iterations", type=int, default=6, metavar="N", help="refinements of a window (default: 6)"
    )
    parser.add_argument(
        "--visibility-threshold",
        type=float,
        metavar="P",
        help="probability above which a point is visible (default: 0.9, of CoTracker3 0.6)",
    )
    parser.add_argument("--device", choices=["cuda", "cpu"], help="default: a GPU where there is one")
    return parser


if __name__ == "__main__":
    run(main)
