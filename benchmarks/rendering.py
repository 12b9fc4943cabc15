"""Frames per CPU-second of the scene engine, at several sizes.

Whole sequences are timed, their physics, textures and tracks included; CPU time, so that other programs on
the machine count little. What the first sequence alone must do, reading photographs, is done before.

    python benchmarks/rendering.py --output results/reference/two-cores/rendering.csv
"""

import argparse
import statistics
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
from rows import MACHINE_COLUMNS, add_rows, shown

from cotracker_pipeline.data.engine import PRESETS, SceneSettings, render_sequence
from cotracker_pipeline.memory.machine import describe_machine

COLUMNS = ("case", "preset", "frames", "height", "width", "points", "motion_blur", "sequences", "objects",
           "cpu_seconds", "frames_per_cpu_second", *MACHINE_COLUMNS)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """One kind of video: ``changes`` are those of the preset's settings."""

    name: str
    preset: str
    points: int
    changes: dict[str, Any]

    @property
    def settings(self) -> SceneSettings:
        """Of the scenes."""
        return replace(PRESETS[self.preset], **self.changes)


CASES = (
    Case("default study", "smoke", 1024, {"frames": 24, "height": 128, "width": 128}),
    Case("128x128", "kubric", 256, {"frames": 24, "height": 128, "width": 128}),
    Case("256x256", "kubric", 256, {"frames": 24, "height": 256, "width": 256}),
    Case("384x512", "kubric", 2048, {"frames": 24, "height": 384, "width": 512}),
    Case(
        "384x512, motion blur",
        "kubric",
        2048,
        {"frames": 24, "height": 384, "width": 512, "motion_blur": 0.5},
    ),
    Case("full size", "kubric", 2048, {"frames": 120, "height": 384, "width": 512}),
)


def main() -> None:
    """Command line."""
    arguments = _parser().parse_args()
    cv2.setNumThreads(1)
    for case in CASES:
        if case.name not in arguments.cases:
            continue
        settings = replace(case.settings, frames=arguments.frames or case.settings.frames)
        row = measure(settings, case.points, arguments.sequences)
        facts = vars(settings) | {"case": case.name, "preset": case.preset, "points": case.points}
        machine = describe_machine("cpu")._asdict() | {"command": shown(sys.argv)}
        add_rows(arguments.output, COLUMNS, [facts | row | machine])
        print(f"{case.name}: {row['frames_per_cpu_second']:.2f} frames per CPU-second", flush=True)


def measure(settings: SceneSettings, points: int, sequences: int) -> dict[str, float]:
    """What ``sequences`` random videos take."""
    render_sequence(0, replace(settings, frames=1, height=16, width=16), 4)
    start = time.process_time()
    objects = [int(render_sequence(seed, settings, points).attrs["objects"]) for seed in range(sequences)]
    seconds = time.process_time() - start
    return {
        "sequences": sequences,
        "objects": statistics.mean(objects),
        "cpu_seconds": seconds,
        "frames_per_cpu_second": sequences * settings.frames / seconds,
    }


def _parser() -> argparse.ArgumentParser:
    names = [case.name for case in CASES]
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", nargs="+", choices=names, default=names, help="only these")
    parser.add_argument("--sequences", type=int, default=6, help="videos a case (6)")
    parser.add_argument("--frames", type=int, help="of a video, in place of the case's own")
    parser.add_argument("--output", type=Path, required=True, metavar="CSV", help="file to add rows to")
    return parser


if __name__ == "__main__":
    main()
