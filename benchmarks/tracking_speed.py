"""Points times frames per second of tracking, its peak memory, and the cost of single-point evaluation.

What is compared takes turns within each round; the answer is the median over rounds of a ratio within each.
Operations are counted on meta tensors.

``points``: one joint call of the published CoTracker2 for all points, queried in every fifth frame, by one
strategy after another. Its peak memory is predicted; a case that would take longer than ``--longest`` seconds
at the machine's rate of products is not timed.

``single-point``: the published protocol of evaluation, each query on its own beside 8x8 support points around
it and 5x5 all over the image. ``one-by-one`` encodes the frames from the query on and tracks, for each query
again, as the published code does; ``at-once`` encodes the video once and tracks the queries as a batch.

    python benchmarks/tracking_speed.py points --output DIR/points.csv
    python benchmarks/tracking_speed.py single-point --output DIR/single.csv --frames 24 48
"""

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from itertools import groupby, product
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import pandas as pd
import torch
from rows import MACHINE_COLUMNS, add_rows, shown
from strategy_speed import TRACKING_ITERATIONS, Entry, product_rate, seconds_of, tracking
from torch import Tensor, nn

from cotracker_pipeline.command import run
from cotracker_pipeline.config import Clip, ModelSize, Recipe, Strategy
from cotracker_pipeline.memory.machine import describe_machine
from cotracker_pipeline.memory.measurement import free_memory
from cotracker_pipeline.memory.step import track_inference
from cotracker_pipeline.memory.tracker import MemoryTracker
from cotracker_pipeline.models.build import build_model
from cotracker_pipeline.models.encoded_video import encoded
from cotracker_pipeline.models.single_point import SinglePointPredictor
from cotracker_pipeline.models.tracker import Tracker
from cotracker_pipeline.training.device import use_device

SUPPORT_GRID, LOCAL_GRID = 5, 8
CASE = ["frames", "height", "width", "points"]
COLUMNS = ("round", "what", "entry", *CASE, "seconds", "point_frames_per_second", "operations", "peak_bytes",
           *MACHINE_COLUMNS)  # fmt: skip


class Run(NamedTuple):
    """An entry of one case: what is timed, and what is known of it before.

    compute: None where it would take too long; peak_bytes: None where it is not predicted.
    """

    name: str
    compute: Callable[[], object] | None
    operations: int
    peak_bytes: int | None = None


class Encoding(nn.Module):
    """A tracker that encodes a video and does not track."""

    def __init__(self, model: Tracker) -> None:
        super().__init__()
        self.model = model

    def forward(self, video: Tensor, queries: Tensor, iterations: int) -> Tensor:
        """Feature maps of the video."""
        del queries, iterations
        return self.model.encode(video)


def main() -> None:
    """Command line."""
    arguments = _parser().parse_args()
    use_device(arguments.device, arguments.threads)
    command = shown([os.path.relpath(sys.argv[0]), *sys.argv[1:]])
    rows: list[dict[str, Any]] = []
    for case in _cases(arguments):
        runs = list(RUNS[arguments.what](case, arguments))
        for row in _measured(runs, arguments):
            facts = {"what": arguments.what, "command": command, **case}
            row |= facts | describe_machine(arguments.device)._asdict()
            row["point_frames_per_second"] = (
                row["seconds"] and case["points"] * case["frames"] / row["seconds"]
            )
            add_rows(arguments.output, COLUMNS, [row])
            rows.append(row)
            took = "not timed" if row["seconds"] is None else f"{row['seconds']:.2f} s"
            print(f"{' '.join(map(str, case.values()))}: {row['entry']}: {took}", flush=True)
    print(summary(pd.DataFrame(rows)).to_markdown(floatfmt=".3g", index=False))


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """Per case and entry: median seconds and points times frames per second, the median of how many times as
    fast as the first entry it was in a round, and operations relative to those of the first.
    """
    entries = list(rows.entry.unique())
    first = rows[rows.entry == entries[0]].set_index([*CASE, "round"])
    of_first = first[["seconds", "operations"]].astype(float).add_suffix("_first")
    rows = rows.join(of_first, on=[*CASE, "round"])
    rows["times as fast"] = rows.seconds_first / rows.seconds.astype(float)
    rows["operations, x first"] = rows.operations / rows.operations_first
    rows["peak GB"] = rows.peak_bytes.astype(float) / 1e9
    shown_columns = ["seconds", "point_frames_per_second", "times as fast", "operations, x first", "peak GB"]
    rows[shown_columns[:2]] = rows[shown_columns[:2]].astype(float)
    table = rows.groupby([*CASE, "entry"], sort=False)[shown_columns].median()
    return table.reset_index()


def joint_runs(case: dict[str, int], arguments: argparse.Namespace) -> Iterator[Run]:
    """All points in one call, by each strategy."""
    prepare, work = tracking(_clip(case), case["points"])
    for name in arguments.strategies:
        strategy = Entry.of(name).strategy
        counted = _counted(strategy, case, work.queries, work.active)
        within = counted.flops <= _rate(arguments.device) * arguments.longest
        compute = prepare(strategy, work, arguments.device) if within else None
        yield Run(name, compute, counted.flops, counted.peak.bytes)


def single_runs(case: dict[str, int], arguments: argparse.Namespace) -> Iterator[Run]:
    """Each point on its own, in each way and by each strategy."""
    _, work = tracking(_clip(case), case["points"])
    queries = work.queries.to(arguments.device)
    if arguments.first_frame:
        queries[..., 0] = 0
    starts = [int(frame) for frame in queries[0, :, 0].tolist()]
    video = torch.randint(0, 256, (1, case["frames"], 3, case["height"], case["width"])).float()
    for name in arguments.ways:
        way, strategy = name.split(":")
        model = _model(Entry.of(strategy).strategy, arguments.device)
        compute = partial(WAYS[way], model, video.to(arguments.device), queries, arguments.at_a_time)
        yield Run(name, compute, single_operations(way, model.strategy, case, starts, arguments.at_a_time))


def one_by_one(model: Tracker, video: Tensor, queries: Tensor, at_a_time: int) -> None:
    """As published: for each query the frames from it on are encoded."""
    del at_a_time
    predictor = _predictor(model, video, 1)
    for query in queries.unbind(dim=1):
        start = int(query[0, 0])
        seen = encoded(model, video[:, start:], predictor.resolution)
        predictor(seen, (query - query.new_tensor([start, 0, 0]))[:, None])


def at_once(model: Tracker, video: Tensor, queries: Tensor, at_a_time: int) -> None:
    """The video is encoded once, and queries are a batch."""
    predictor = _predictor(model, video, at_a_time)
    predictor(encoded(model, video, predictor.resolution), queries)


RUNS: Mapping[str, Callable[..., Iterator[Run]]] = MappingProxyType(
    {"points": joint_runs, "single-point": single_runs}
)
WAYS: Mapping[str, Callable[..., None]] = MappingProxyType({"one-by-one": one_by_one, "at-once": at_once})


def _measured(runs: list[Run], arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """A row per run and round, what is timed in turns; one row where nothing is."""
    for each in runs:
        for _ in range(arguments.warm_ups if each.compute else 0):
            each.compute()
    for number in range(arguments.rounds):
        for each in runs:
            if each.compute is None and number:
                continue
            free_memory()
            if arguments.device == "cuda":
                torch.cuda.reset_peak_memory_stats()
            seconds = each.compute and round(seconds_of(each.compute, arguments.device), 4)
            peak = each.peak_bytes
            if peak is None and arguments.device == "cuda":
                peak = torch.cuda.max_memory_allocated()
            yield {
                "round": number,
                "entry": each.name,
                "seconds": seconds,
                "operations": each.operations,
                "peak_bytes": peak,
            }


def single_operations(
    way: str, strategy: Strategy, case: dict[str, int], starts: list[int], at_a_time: int
) -> int:
    """Of tracking points from the frames ``starts`` on, each on its own."""
    model = _model(strategy, "meta")
    points = 1 + LOCAL_GRID**2 + SUPPORT_GRID**2

    @cache
    def flops(samples: int, start: int) -> tuple[int, int]:
        """Of encoding alone, and of encoding and tracking."""
        video, queries = (
            _on_meta(case, case["frames"] - start),
            torch.zeros(samples, points, 3, device="meta"),
        )
        whole = (
            track_inference(each, video, queries, TRACKING_ITERATIONS) for each in (Encoding(model), model)
        )
        encoding, tracked = (tracker.flops for tracker in whole)
        return encoding, tracked

    if way == "one-by-one":
        return sum(flops(1, start)[1] for start in starts)
    operations = flops(1, 0)[0]
    for start, group in groupby(sorted(starts)):
        count = len(list(group))
        for samples in (*[at_a_time] * (count // at_a_time), count % at_a_time):
            if samples:
                encoding, whole = flops(samples, start)
                operations += whole - encoding
    return operations


def _on_meta(case: dict[str, int], frames: int) -> Tensor:
    return torch.empty(1, frames, 3, case["height"], case["width"], device="meta")


def _counted(strategy: Strategy, case: dict[str, int], queries: Tensor, active: list[int]) -> MemoryTracker:
    """Joint tracking on meta tensors."""
    model = _model(strategy, "meta")
    model.forward = partial(model.forward, active_tracks=active)  # type: ignore[method-assign]
    return track_inference(model, _on_meta(case, case["frames"]), queries.to("meta"), TRACKING_ITERATIONS)


def _model(strategy: Strategy, device: str) -> Tracker:
    torch.manual_seed(0)
    with torch.device(device):
        return build_model(ModelSize(), Recipe(), strategy).eval()


def _predictor(model: Tracker, video: Tensor, at_a_time: int) -> SinglePointPredictor:
    height, width = video.shape[-2:]
    return SinglePointPredictor(
        model, (height, width), SUPPORT_GRID, LOCAL_GRID, TRACKING_ITERATIONS, at_a_time
    )


@cache
def _rate(device: str) -> float:
    return product_rate(torch.float32, device)


def _cases(arguments: argparse.Namespace) -> Iterator[dict[str, int]]:
    """Each column of ``CASE`` by name."""
    for frames, size, points in product(arguments.frames, arguments.sizes, arguments.points):
        height, width = map(int, size.split("x"))
        yield dict(zip(CASE, (frames, height, width, points), strict=True))


def _clip(case: dict[str, int]) -> Clip:
    return Clip(frames=case["frames"], height=case["height"], width=case["width"])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--output", type=Path, required=True, metavar="CSV", help="file that rows are added to"
    )
    common.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    common.add_argument("--threads", type=int, default=1)
    common.add_argument("--rounds", type=int, default=3)
    common.add_argument(
        "--warm-ups", type=int, default=1, help="runs of each case before those that are timed"
    )
    common.add_argument("--frames", type=int, nargs="+", default=[24])
    what = parser.add_subparsers(dest="what", required=True)
    joint = what.add_parser("points", parents=[common], help="all points in one call")
    joint.add_argument("--points", type=int, nargs="+", default=[1, 100, 1000, 10_000])
    joint.add_argument(
        "--sizes", nargs="+", default=["256x256", "384x512"], metavar="HEIGHTxWIDTH", help="of the video"
    )
    joint.add_argument(
        "--strategies", nargs="+", default=["published", "tracking"], metavar="NAME", help="first: reference"
    )
    joint.add_argument("--longest", type=float, default=60, metavar="SECONDS", help="what is timed")
    single = what.add_parser("single-point", parents=[common], help="each point on its own")
    single.add_argument("--points", type=int, nargs="+", default=[8])
    single.add_argument("--sizes", nargs="+", default=["384x512"], metavar="HEIGHTxWIDTH")
    single.add_argument(
        "--ways",
        nargs="+",
        default=["one-by-one:published", "one-by-one:tracking", "at-once:tracking"],
        metavar="WAY:STRATEGY",
        help=f"first: reference; ways are {' and '.join(WAYS)}",
    )
    single.add_argument("--at-a-time", type=int, default=4, help="queries of a batch, at most")
    single.add_argument("--first-frame", action="store_true", help="query all in it, instead of every fifth")
    return parser


if __name__ == "__main__":
    run(main)
