"""Measure every variant of a study on this machine's GPU, beside what was predicted.

    PYTHONPATH=. python benchmarks/measure_on_gpu.py --config config/config.yaml --output results/measured

First the memory of every variant, each in a process of its own; then step times in rounds, all variants
interleaved. Needs torch, einops, pydantic and PyYAML only. In the output folder
``measured_memory.csv`` has one row a variant, ``step_times.csv`` one a timed step, and ``measured/`` what
``measure_memory`` wrote; rows are added as they come, to files of an earlier run too.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from rows import MACHINE_COLUMNS, add_rows, shown

import cotracker_pipeline
from cotracker_pipeline.command import run
from cotracker_pipeline.config import Study, load_study

#: All processes measure the package that this one sees.
SOURCE = str(Path(cotracker_pipeline.__file__).parents[1])
ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join([SOURCE, os.environ.get("PYTHONPATH", "")])}

#: Seconds after which a process is ended, whatever it does.
PATIENCE = 600.0

COLUMNS = (
    "variant",
    "status",
    "message",
    "tracks",
    "corr_radius",
    "use_track_mask",
    "use_attention_mask",
    "precision",
    "checkpoint",
    "peak_allocated_bytes",
    "predicted_allocated_bytes",
    "allocated_error",
    "peak_reserved_bytes",
    "predicted_reserved_bytes",
    "reserved_error",
    "peak_requested_bytes",
    "predicted_storages_bytes",
    "steady_allocated_bytes",
    "context_bytes",
    "outside_allocator_bytes",
    "allocation_retries",
    "inference_peak_allocated_bytes",
    "inference_steady_allocated_bytes",
    "predicted_inference_bytes",
    "dense_inference_peak_allocated_bytes",
    "dense_inference_steady_allocated_bytes",
    "predicted_dense_inference_bytes",
    "long_inference_peak_allocated_bytes",
    "long_inference_steady_allocated_bytes",
    "predicted_long_inference_bytes",
    "seconds_per_step",
    "track_frames_per_second",
    "peak_resident_bytes",
    *MACHINE_COLUMNS,
)

#: The inference cases of ``predict_memory``, in its order.
INFERENCE = ("inference", "dense_inference", "long_inference")


class Clock:
    """Seconds since the start, and how many are left."""

    def __init__(self, limit: float | None) -> None:
        self._start = time.monotonic()
        self._limit = limit

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self._start

    @property
    def left(self) -> float:
        """For the next process."""
        return PATIENCE if self._limit is None else min(PATIENCE, self._limit - self.elapsed)

    def say(self, text: str) -> None:
        print(f"[{self.elapsed:5.0f} s] {text}", flush=True)


def main() -> None:
    """Command line."""
    arguments = _parser().parse_args()
    study = load_study(arguments.config)
    clock = Clock(arguments.seconds)
    names = arguments.variants or list(study.variants)
    if "memory" in arguments.parts:
        for name in names:
            row = _memory_row(study, name, arguments, clock)
            add_rows(arguments.output / "measured_memory.csv", COLUMNS, [row])
            clock.say(_sentence(row))
    if "time" in arguments.parts:
        for number in range(arguments.rounds):
            problem = _start(_round_command(number, names, arguments), clock, quiet=False)
            clock.say(f"round {number}: {problem or 'done'}")


def _memory_row(study: Study, name: str, arguments: argparse.Namespace, clock: Clock) -> dict[str, Any]:
    """Measure one variant in a process of its own."""
    file = arguments.output / "measured" / f"{name}.json"
    # one of an earlier run must not pass for this one
    file.unlink(missing_ok=True)
    command = [sys.executable, "-m", "cotracker_pipeline.measure_memory"]
    command += ["--config", str(arguments.config), "--variant", name, "--device", arguments.device]
    command += ["--steps", str(arguments.steps), "--output", str(file)]
    problem = _start(command, clock, quiet=True)
    report = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    variant = study.variant(name)
    row = {
        "variant": name,
        "status": "failed",
        "message": problem,
        **variant.recipe.model_dump(),
        **variant.strategy.model_dump(),
        "checkpoint": "+".join(variant.strategy.checkpoint),
        **{key: value for key, value in report.items() if key in COLUMNS},
        **_inference(report, "peak_allocated_bytes", "{}_peak_allocated_bytes"),
        **_inference(report, "steady_allocated_bytes", "{}_steady_allocated_bytes"),
        **_predicted(arguments.predictions, name, arguments.device),
        "command": shown(command[1:]),
    }
    if arguments.commit:
        row["commit"] = arguments.commit
    row["allocated_error"] = _error(row, "peak_allocated_bytes", "predicted_allocated_bytes")
    row["reserved_error"] = _error(row, "peak_reserved_bytes", "predicted_reserved_bytes")
    return row


def _predicted(folder: Path | None, name: str, device: str) -> dict[str, Any]:
    """What ``predict_memory`` said, under the names of the columns."""
    file = folder / f"{name}.json" if folder else None
    if file is None or not file.is_file():
        return {}
    report = json.loads(file.read_text(encoding="utf-8"))
    # CUDA reports whole blocks of its allocator
    allocated = "peak_blocks_bytes" if device == "cuda" else "peak_allocated_bytes"
    return {
        "predicted_allocated_bytes": report[allocated],
        "predicted_storages_bytes": report["peak_allocated_bytes"],
        "predicted_reserved_bytes": report["peak_reserved_bytes"],
        **_inference(report, allocated, "predicted_{}_bytes"),
    }


def _inference(report: dict[str, Any], key: str, column: str) -> dict[str, Any]:
    """One value of every inference case, each under its column."""
    return {
        column.format(case): measured[key]
        for case, measured in zip(INFERENCE, report.get("inference", []), strict=False)
    }


def _error(row: dict[str, Any], measured: str, predicted: str) -> float | None:
    """How much more was measured than predicted, as a share."""
    if not row.get(measured) or not row.get(predicted):
        return None
    return round(row[measured] / row[predicted] - 1, 5)


def _round_command(number: int, names: list[str], arguments: argparse.Namespace) -> list[str]:
    command = [sys.executable, str(Path(__file__).with_name("time_variants.py"))]
    command += ["--config", str(arguments.config), "--output", str(arguments.output / "step_times.csv")]
    command += ["--round", str(number), "--steps", str(arguments.round_steps), "--device", arguments.device]
    command += ["--commit", arguments.commit] if arguments.commit else []
    return [*command, "--variants", *names]


def _start(command: list[str], clock: Clock, quiet: bool) -> str:
    """Run ``command`` to its end; what went wrong, empty when nothing did."""
    if clock.left <= 0:
        return "no time was left"
    output = subprocess.DEVNULL if quiet else None
    try:
        done = subprocess.run(
            command,
            env=ENVIRONMENT,
            stdout=output,
            stderr=subprocess.PIPE,
            text=True,
            timeout=clock.left,
        )
    except subprocess.TimeoutExpired:
        return "took too long"
    if done.returncode == 0:
        return ""
    lines = done.stderr.strip().splitlines()
    return lines[-1] if lines else f"exit status {done.returncode}"


def _sentence(row: dict[str, Any]) -> str:
    if row["status"] != "measured":
        return f"{row['variant']}: {row['status']}: {row['message']}"
    peaks = ", ".join(f"{what} {_gigabytes(row, what)}" for what in ("allocated", "reserved"))
    return f"{row['variant']}: {peaks}, {row['seconds_per_step']:.3f} s a step"


def _gigabytes(row: dict[str, Any], what: str) -> str:
    measured, error = row[f"peak_{what}_bytes"], row[f"{what}_error"]
    beside = "" if error is None else f" ({100 * error:+.2f} % against the prediction)"
    return "unknown" if measured is None else f"{measured / 1e9:.3f} GB{beside}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", type=Path, required=True, help="study file")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="folder for the tables")
    parser.add_argument(
        "--predictions", type=Path, metavar="DIR", help="with <variant>.json of predict_memory"
    )
    parser.add_argument("--parts", nargs="+", choices=["memory", "time"], default=["memory", "time"])
    parser.add_argument("--variants", nargs="*", metavar="NAME", help="default: all of the study")
    parser.add_argument("--steps", type=int, default=3, help="timed steps beside the memory of a variant")
    parser.add_argument("--rounds", type=int, default=3, help="of the interleaved step times")
    parser.add_argument("--round-steps", type=int, default=3, help="timed steps of a variant in a round")
    parser.add_argument("--seconds", type=float, help="no measurement goes on after so many seconds")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--commit", help="of the source tree, where its history is not there to ask")
    return parser


if __name__ == "__main__":
    run(main)
