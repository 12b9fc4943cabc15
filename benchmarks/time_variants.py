"""One round of step times: every variant for a few steps, in a shuffled order, in one process.

Several rounds make an interleaved comparison: what drifts meets all variants alike. Each round is one process
(``measure_on_gpu.py`` starts them), so that one that fails does not spoil the next.
"""

import argparse
import os
import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rows import MACHINE_COLUMNS, add_rows, shown

from cotracker_pipeline.command import run
from cotracker_pipeline.config import Study, load_study
from cotracker_pipeline.memory.machine import describe_machine
from cotracker_pipeline.memory.measured_step import Case, real_step, time_steps
from cotracker_pipeline.memory.measurement import attempt, free_memory
from cotracker_pipeline.training.device import choose_device

WARM_UP_STEPS = 2

#: Whether convolutions, and whether matrix products of fp32 may round to TF32. "torch": PyTorch's own choice.
TF32 = {"torch": (True, False), "on": (True, True), "off": (False, False)}

COLUMNS = (
    "round",
    "order",
    "variant",
    "tf32",
    "status",
    "step",
    "seconds",
    "tracks",
    "frames",
    "precision",
    "checkpoint",
    *MACHINE_COLUMNS,
)


@dataclass(frozen=True)
class Times:
    """Seconds of every step; none when memory ran out."""

    status: str
    seconds: tuple[float, ...] = ()


def main() -> None:
    """Command line."""
    arguments = _parser().parse_args()
    study = load_study(arguments.config)
    choose_device(arguments.device)
    entries = [(name, "torch") for name in arguments.variants or study.variants]
    if arguments.device == "cuda":
        entries += [("baseline", "on"), ("baseline", "off")]
    random.Random(arguments.round).shuffle(entries)
    for order, (name, tf32) in enumerate(entries):
        times = _time(study, name, tf32, arguments)
        rows = _rows(study, name, times, arguments.device)
        labels = {
            "round": arguments.round,
            "order": order,
            "tf32": tf32,
            "command": shown([os.path.relpath(sys.argv[0]), *sys.argv[1:]]),
        }
        if arguments.commit:
            labels["commit"] = arguments.commit
        add_rows(arguments.output, COLUMNS, [row | labels for row in rows])
        seconds = " ".join(f"{value:.3f}" for value in times.seconds)
        print(f"round {arguments.round}: {name} (TF32 {tf32}): {times.status} {seconds}", flush=True)


def _time(study: Study, name: str, tf32: str, arguments: argparse.Namespace) -> Times:
    torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = TF32[tf32]
    variant = study.variant(name)
    case = Case(variant.recipe, variant.strategy, study.memory.clip, study.memory.model)

    def take() -> Times:
        step = real_step(case, arguments.device)
        time_steps(step, WARM_UP_STEPS)
        return Times("measured", time_steps(step, arguments.steps))

    free_memory()
    return attempt(take, lambda _: Times("out of memory"))


def _rows(study: Study, name: str, times: Times, device: str) -> Iterator[dict[str, Any]]:
    """One row a step, or one that says that there is none."""
    variant = study.variant(name)
    machine = describe_machine(device)._asdict()
    for step, seconds in enumerate(times.seconds or [None]):
        yield {
            "variant": name,
            "status": times.status,
            "step": step,
            "seconds": seconds,
            "tracks": variant.recipe.tracks,
            "frames": study.memory.clip.frames,
            "precision": variant.strategy.precision,
            "checkpoint": "+".join(variant.strategy.checkpoint),
            **machine,
        }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="study file")
    parser.add_argument(
        "--output", type=Path, required=True, metavar="CSV", help="file that rows are added to"
    )
    parser.add_argument("--round", type=int, default=0, help="number of the round; decides the order")
    parser.add_argument("--steps", type=int, default=3, help="timed steps of a variant")
    parser.add_argument("--variants", nargs="*", metavar="NAME", help="default: all of the study")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--commit", help="of the source tree, where its history is not there to ask")
    return parser


if __name__ == "__main__":
    run(main)
