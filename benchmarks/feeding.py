"""Clips per second of the training's loader, beside the published way of reading the same frames.

The published way decodes every PNG frame of a sequence with imageio and then cuts the clip out. Rounds take
the ways in turn, so that a machine that others use as well slows all of them alike; the answer is the median
over rounds of a ratio within each. With a batch of one clip, clips per second are training steps per second.

    python benchmarks/feeding.py --scratch DIR --output results/reference/two-cores/feeding.csv
"""

import argparse
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import imageio.v3 as imageio
import numpy as np
import torch
from rows import MACHINE_COLUMNS, add_rows, shown

from cotracker_pipeline.config import Augmentation, Clip, load_study
from cotracker_pipeline.data.clips import ClipDataset, Sample
from cotracker_pipeline.data.coordinates import raster_to_index
from cotracker_pipeline.data.division import Division
from cotracker_pipeline.data.engine import PRESETS, render_sequence
from cotracker_pipeline.data.loading import batches
from cotracker_pipeline.data.store import Sequence, write_shard
from cotracker_pipeline.memory.machine import describe_machine

ARTICLE = Path(__file__).parents[1] / "config" / "article.yaml"
PUBLISHED = "published: all PNG frames"
COLUMNS = ("round", "way", "workers", "frames", "height", "width", "sequence_frames", "sequence_height",
           "sequence_width", "tracks", "clips", "seconds", "clips_per_second", "cpu_seconds_per_clip",
           *MACHINE_COLUMNS)  # fmt: skip


class PublishedReading(torch.utils.data.Dataset[Sample]):
    """Clips as the published reader makes them, without augmentation: all frames, then a crop.

    Args:
        folders: one a sequence: ``frames/*.png``, ``tracks.npy`` (N, T, 2) and ``visible.npy`` (N, T).
        clip: the clip's size.
        tracks: tracks of a clip.
        length: number of clips.
    """

    def __init__(self, folders: list[Path], clip: Clip, tracks: int, length: int) -> None:
        self.folders, self.clip, self.tracks, self.length = folders, clip, tracks, length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Sample:
        rng = np.random.default_rng(index)
        folder = self.folders[rng.integers(len(self.folders))]
        video = np.stack([imageio.imread(path) for path in sorted((folder / "frames").iterdir())])
        start, top, left = (
            int(rng.integers(have - want + 1))
            for have, want in zip(
                video.shape, (self.clip.frames, self.clip.height, self.clip.width), strict=False
            )
        )
        span = slice(start, start + self.clip.frames)
        video = video[span, top : top + self.clip.height, left : left + self.clip.width]
        tracks, visible = (np.load(folder / f"{name}.npy")[:, span] for name in ("tracks", "visible"))
        chosen = rng.permutation(len(tracks))[: self.tracks]
        xy = raster_to_index(tracks[chosen].swapaxes(0, 1)) - np.array([left, top], np.float32)
        seen = visible[chosen].swapaxes(0, 1)
        pixels = torch.from_numpy(np.ascontiguousarray(video.transpose(0, 3, 1, 2)))
        return Sample(pixels, torch.from_numpy(xy), torch.from_numpy(seen), torch.ones(seen.shape).bool())


def main() -> None:
    """Command line."""
    arguments = _parser().parse_args()
    cv2.setNumThreads(1)
    clip = Clip(frames=arguments.frames, height=arguments.height, width=arguments.width)
    _prepare(arguments.scratch, arguments)
    ways = _ways(arguments.scratch, clip, arguments)
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(arguments.rounds):
        for name, way in ways.items():
            row = _measured(way(arguments.clips * (1 if name == PUBLISHED else arguments.times)))
            rates[name].append(row["clips_per_second"])
            add_rows(arguments.output, COLUMNS, [_facts(arguments) | {"round": number, "way": name} | row])
            print(f"round {number}: {name}: {row['clips_per_second']:.2f} clips/s", flush=True)
    print(summary(rates))


def _facts(arguments: argparse.Namespace) -> dict[str, Any]:
    """What every row says of the clips and the machine."""
    machine = describe_machine("cpu")._asdict()
    return vars(arguments) | machine | {"command": shown(sys.argv, without=("--output", "--scratch"))}


def summary(rates: dict[str, list[float]]) -> str:
    """One line a way: median clips per second, and the median over rounds of its ratio to the published."""
    lines = []
    for name, values in rates.items():
        ratios = [value / published for value, published in zip(values, rates[PUBLISHED], strict=True)]
        rate, ratio = statistics.median(values), statistics.median(ratios)
        lines.append(f"{name}: {rate:.2f} clips/s, {ratio:.1f} times the published")
    return "\n".join(lines)


def _prepare(folder: Path, arguments: argparse.Namespace) -> None:
    """Render the sequences once, and write them in every form."""
    if (folder / "jpeg.h5").is_file():
        return
    settings = replace(
        PRESETS["kubric"],
        frames=arguments.sequence_frames,
        height=arguments.sequence_height,
        width=arguments.sequence_width,
    )
    sequences = [render_sequence(seed, settings, arguments.points) for seed in range(arguments.sequences)]
    for sequence in sequences:
        write_pngs(folder / "png" / sequence.name, sequence)
    provenance = {"source": "benchmarks/feeding.py", "licence": "not for publication"}
    write_shard(folder / "raw.h5", sequences, provenance, "raw")
    write_shard(folder / "jpeg.h5", sequences, provenance, "jpeg")


def write_pngs(folder: Path, sequence: Sequence) -> None:
    """One file a frame, and the labels beside them."""
    (folder / "frames").mkdir(parents=True, exist_ok=True)
    for number, frame in enumerate(sequence.video):
        cv2.imwrite(str(folder / "frames" / f"{number:03d}.png"), frame[..., ::-1])
    np.save(folder / "tracks.npy", sequence.tracks)
    np.save(folder / "visible.npy", sequence.visible)


def _ways(
    folder: Path, clip: Clip, arguments: argparse.Namespace
) -> dict[str, Callable[[int], Iterable[Sample]]]:
    """What is compared, by name: each makes so many clips."""

    def ours(codec: str, augmentation: Augmentation) -> Callable[[int], Iterable[Sample]]:
        def clips(count: int) -> Iterable[Sample]:
            shard = folder / f"{codec}.h5"
            data = ClipDataset([shard], clip, arguments.tracks, 0, count, augmentation)
            return batches(data, Division(1), 0, arguments.workers, read_ahead=2)

        return clips

    def published(count: int) -> Iterable[Sample]:
        folders = sorted((folder / "png").iterdir())
        data = PublishedReading(folders, clip, arguments.tracks, count)
        loader = torch.utils.data.DataLoader(data, 1, num_workers=arguments.workers)
        return (Sample(*columns) for columns in loader)

    augmented = load_study(ARTICLE).training.augmentation
    return {
        PUBLISHED: published,
        "JPEG shard": ours("jpeg", Augmentation()),
        "raw shard": ours("raw", Augmentation()),
        "JPEG shard, published augmentation": ours("jpeg", augmented),
    }


def _measured(clips: Iterable[Sample]) -> dict[str, float]:
    """Wall time to the last clip, the start of the workers included, and the CPU time of all."""
    cpu, start, count = _cpu_seconds(), time.perf_counter(), 0
    for _ in clips:
        count += 1
    seconds = time.perf_counter() - start
    return {
        "clips": count,
        "seconds": seconds,
        "clips_per_second": count / seconds,
        "cpu_seconds_per_clip": (_cpu_seconds() - cpu) / count,
    }


def _cpu_seconds() -> float:
    """Of this process and the workers that have ended."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scratch", type=Path, required=True, help="folder of the rendered data, kept")
    parser.add_argument("--output", type=Path, required=True, metavar="CSV", help="file to add rows to")
    for key, value, meaning in (
        ("workers", 2, "processes that read"),
        ("rounds", 7, "times that each way is measured"),
        ("clips", 6, "clips of the published way per round"),
        ("times", 10, "clips of the other ways per clip of the published one"),
        ("tracks", 768, "tracks of a clip"),
        ("frames", 24, "of a clip"),
        ("height", 384, "of a clip"),
        ("width", 512, "of a clip"),
        ("sequences", 2, "videos"),
        ("points", 2048, "tracks of a video"),
        ("sequence-frames", 120, "of a video"),
        ("sequence-height", 512, "of a video"),
        ("sequence-width", 512, "of a video"),
    ):
        parser.add_argument(f"--{key}", type=int, default=value, help=f"{meaning} ({value})")
    return parser


if __name__ == "__main__":
    main()
