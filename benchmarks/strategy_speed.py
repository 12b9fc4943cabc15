"""Seconds of a training step, or of tracking a video, under one strategy after another, in turns.

Each round takes every strategy once, so that what slows the machine meets all alike; the answer is the median
over rounds of a ratio within each. Beside it stands how much of the machine's own rate of matrix products,
measured in the same round, the operations of the strategy reach: at 100 % nothing but products takes time.
Queries are drawn as the published training draws them, or for tracking in every fifth frame.

    python benchmarks/strategy_speed.py --output DIR/step.csv --strategies published fast balanced fast:bf16
    python benchmarks/strategy_speed.py --output DIR/track.csv --what tracking --strategies published tracking
    python benchmarks/strategy_speed.py --output DIR/gpu.csv --device cuda --tracks 768 --height 384 \
        --width 512 --strategies published published:tf32 published:bf16 balanced:bf16 balanced:bf16:compile
"""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import torch
from rows import MACHINE_COLUMNS, add_rows, shown
from torch import Tensor, nn

from cotracker_pipeline.command import run
from cotracker_pipeline.config import Clip, ModelSize, Recipe, Strategy
from cotracker_pipeline.errors import UserError
from cotracker_pipeline.memory.assembly import assemble_step
from cotracker_pipeline.memory.machine import describe_machine
from cotracker_pipeline.memory.measured_step import fill_batch, synchronise, take_step
from cotracker_pipeline.memory.measurement import free_memory
from cotracker_pipeline.memory.step import Batch, track_inference, track_training_step
from cotracker_pipeline.models.active_tracks import active_counts
from cotracker_pipeline.models.build import build_model
from cotracker_pipeline.models.compilation import compiled
from cotracker_pipeline.models.precision import computed_dtype
from cotracker_pipeline.models.windows import sliding_windows
from cotracker_pipeline.rungs import RUNGS, TRACKING
from cotracker_pipeline.training.device import use_device
from cotracker_pipeline.training.losses import tracking_loss
from cotracker_pipeline.training.queries import sample_training_queries

STRATEGIES = {**RUNGS, "tracking": TRACKING}
SUFFIXES = {"bf16", "tf32", "compile"}
#: Side of the matrices that the rate of products is measured with.
PRODUCT_SIZE = {"cpu": 2048, "cuda": 8192}
TRACKING_ITERATIONS = 6
STRIDE = 5
COLUMNS = ("round", "what", "strategy", "seconds", "operations", "product_rate", "peak_bytes",
           "tracks", "frames", "height", "width", "active_share", *MACHINE_COLUMNS)  # fmt: skip


class Entry(NamedTuple):
    """What is compared: ``NAME`` of a strategy, with any of ``SUFFIXES`` behind colons."""

    name: str
    strategy: Strategy
    tf32: bool

    @classmethod
    def of(cls, name: str) -> "Entry":
        """Raises ``UserError`` when there is no such strategy."""
        rung, *suffixes = name.split(":")
        if rung not in STRATEGIES or not SUFFIXES.issuperset(suffixes):
            raise UserError(
                f"there is no strategy {name!r}; name one of {', '.join(STRATEGIES)}, with any of "
                f"{', '.join(sorted(SUFFIXES))} behind colons"
            )
        precision = "bf16" if "bf16" in suffixes else "fp32"
        keys = {**STRATEGIES[rung], "precision": precision, "compile": "compile" in suffixes}
        return cls(name, Strategy.model_validate(keys), "tf32" in suffixes)

    @property
    def eager(self) -> Strategy:
        """The strategy without compilation, as operations are counted."""
        return self.strategy.model_copy(update={"compile": False})


class Work(NamedTuple):
    """The sizes and the queries of what is timed.

    clip: shape of the video; queries: (1, N, 3) as (t, x, y) in pixel indices.
    """

    clip: Clip
    queries: Tensor

    @property
    def recipe(self) -> Recipe:
        """The published one, of so many tracks."""
        return Recipe(tracks=self.queries.shape[1])

    @property
    def active(self) -> list[int]:
        """Tracks that are queried before the end of each window."""
        windows = sliding_windows(self.clip.frames, ModelSize().window_len)
        return active_counts(self.queries[..., 0], (window.stop for window in windows))

    @property
    def active_share(self) -> float:
        """Of all pairs of a track and a window."""
        return statistics.mean(self.active) / self.queries.shape[1]


def main() -> None:
    """Command line."""
    arguments = _parser().parse_args()
    use_device(arguments.device, arguments.threads)
    device = arguments.device
    clip = Clip(frames=arguments.frames, height=arguments.height, width=arguments.width)
    prepare, work = KINDS[arguments.what](clip, arguments.tracks)
    entries = [Entry.of(name) for name in arguments.strategies]
    # TF32 and compilation change none
    operations = {eager: prepare(eager, work, "meta")() for eager in {entry.eager for entry in entries}}
    for number in range(arguments.rounds):
        for entry in entries:
            row = _timed(partial(prepare, entry.strategy, work), entry, device, arguments.warm_ups)
            row |= {"round": number, "what": arguments.what, "strategy": entry.name}
            row |= {
                "operations": operations[entry.eager],
                "tracks": arguments.tracks,
                "active_share": round(work.active_share, 4),
            }
            row |= clip.model_dump() | describe_machine(device)._asdict()
            row["command"] = shown([os.path.relpath(sys.argv[0]), *sys.argv[1:]])
            add_rows(arguments.output, COLUMNS, [row])
            print(f"round {number}: {entry.name}: {row['seconds']:.2f} s", flush=True)
    print(summary(pd.read_csv(arguments.output)).to_markdown(floatfmt=".3g"))


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """Per strategy: median seconds, the median of how many times as fast as the first it was in a round, its
    operations relative to those of the first, and how much of the machine's rate of products they reach.
    """
    first = rows.strategy.iloc[0]
    seconds = rows.pivot(index="round", columns="strategy", values="seconds")
    by_strategy = rows.groupby("strategy")
    operations = by_strategy.operations.first()
    reached = (rows.operations / rows.seconds / rows.product_rate).groupby(rows.strategy).median()
    table = pd.DataFrame(
        {
            "s": seconds.median(),
            "times as fast": (seconds[[first]].to_numpy() / seconds).median(),
            "operations": operations / operations[first],
            "of the rate of products": reached,
            "peak GB": by_strategy.peak_bytes.median() / 1e9,
        }
    )
    return table.loc[rows.strategy.unique()]


def _timed(
    prepare: Callable[[str], Callable[[], object]], entry: Entry, device: str, warm_ups: int
) -> dict[str, Any]:
    """Seconds of a run after ``warm_ups`` others, products per second before it, and on a GPU the peak."""
    free_memory()
    allow_tf32(entry.tf32)
    run_once = prepare(device)
    for _ in range(warm_ups):
        run_once()
    rate = product_rate(computed_dtype(entry.strategy.precision, torch.float32), device)
    cuda = device == "cuda"
    if cuda:
        torch.cuda.reset_peak_memory_stats()
    seconds = seconds_of(run_once, device)
    peak = torch.cuda.max_memory_allocated() if cuda else None
    return {"seconds": round(seconds, 4), "product_rate": rate, "peak_bytes": peak}


def seconds_of(run_once: Callable[[], object], device: str) -> float:
    """From an idle device to an idle device."""
    synchronise(torch.device(device))
    start = time.perf_counter()
    run_once()
    synchronise(torch.device(device))
    return time.perf_counter() - start


def product_rate(dtype: torch.dtype, device: str, repeats: int = 5) -> float:
    """Operations per second of the fastest of some products of square matrices."""
    size = PRODUCT_SIZE[device]
    one, other = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    seconds = [seconds_of(partial(torch.mm, one, other), device) for _ in range(repeats + 1)]
    return round(2 * size**3 / min(seconds[1:]))


def allow_tf32(allowed: bool) -> None:
    """Whether convolutions and products of fp32 may round to TF32."""
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = allowed


def training(clip: Clip, tracks: int) -> tuple[Callable[..., Callable[[], object]], Work]:
    """A training step, queried as in training where every track is visible."""
    trajectory = _places(clip, tracks)[:, None].expand(-1, clip.frames, -1, -1)
    visibility = torch.ones(trajectory.shape[:3], dtype=torch.bool)
    queries = sample_training_queries(trajectory, visibility, torch.Generator().manual_seed(0))
    return _training_step, Work(clip, queries)


def tracking(clip: Clip, tracks: int) -> tuple[Callable[..., Callable[[], object]], Work]:
    """Tracking without gradients, queried in every fifth frame."""
    frames = torch.arange(0, clip.frames, STRIDE)
    chosen = frames[torch.arange(tracks) * len(frames) // tracks]
    queries = torch.cat([chosen[None, :, None].float(), _places(clip, tracks)], dim=-1)
    return _tracking, Work(clip, queries)


KINDS = {"step": training, "tracking": tracking}


def _training_step(strategy: Strategy, work: Work, device: str) -> Callable[[], object]:
    torch.manual_seed(0)
    recipe, active = work.recipe, work.active if device == "meta" else None

    def loss(model: nn.Module, batch: Batch) -> Tensor:
        _, _, predictions = model(batch.video, batch.queries, recipe.iterations, True, active)
        return tracking_loss(predictions, batch.trajectory, batch.visibility, batch.valid, recipe.loss).total

    step = assemble_step(recipe, strategy, work.clip, ModelSize(), device)._replace(loss=loss)
    if device == "meta":
        return lambda: track_training_step(step).flops
    step.batch.queries[..., 0] = work.queries[..., 0]
    fill_batch(step.batch)
    compiled(step.model, strategy)
    return partial(take_step, step)


def _tracking(strategy: Strategy, work: Work, device: str) -> Callable[[], object]:
    torch.manual_seed(0)
    with torch.device(device):
        model = compiled(build_model(ModelSize(), work.recipe, strategy).eval(), strategy)
    video = (
        torch.randint(0, 256, (1, work.clip.frames, 3, work.clip.height, work.clip.width)).float().to(device)
    )
    queries = work.queries.to(device)
    if device == "meta":
        model.forward = partial(model.forward, active_tracks=work.active)  # type: ignore[method-assign]
        return lambda: track_inference(model, video, queries, TRACKING_ITERATIONS).flops

    def track() -> None:
        with torch.inference_mode():
            model(video, queries, TRACKING_ITERATIONS)

    return track


def _places(clip: Clip, tracks: int) -> Tensor:
    """(1, ``tracks``, 2) pixel indices all over the image."""
    size = torch.tensor([clip.width - 1, clip.height - 1])
    return torch.rand(1, tracks, 2, generator=torch.Generator().manual_seed(0)) * size


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--what", choices=list(KINDS), default="step")
    parser.add_argument(
        "--strategies",
        nargs="+",
        required=True,
        metavar="NAME[:bf16][:tf32][:compile]",
        help="all others are compared with the first",
    )
    parser.add_argument(
        "--output", type=Path, required=True, metavar="CSV", help="file that rows are added to"
    )
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--warm-ups", type=int, default=1, help="runs before each that is timed")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--tracks", type=int, default=192)
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--height", type=int, default=192)
    parser.add_argument("--width", type=int, default=256)
    return parser


if __name__ == "__main__":
    run(main)
