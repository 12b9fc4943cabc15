"""Measure the memory and the time of one variant at the true size: one training step, and inference."""

import argparse
import json
from pathlib import Path
from typing import Any

from cotracker_pipeline.command import run
from cotracker_pipeline.config import Memory, Variant, load_study
from cotracker_pipeline.errors import UserError
from cotracker_pipeline.files import write_text
from cotracker_pipeline.memory.machine import card_bytes, describe_machine
from cotracker_pipeline.memory.measured_step import Case
from cotracker_pipeline.memory.measurement import InferencePeak, Measurement
from cotracker_pipeline.memory.measurement_cpu import measure_inference_on_cpu, measure_step_on_cpu
from cotracker_pipeline.memory.measurement_cuda import measure_inference_on_cuda, measure_step_on_cuda
from cotracker_pipeline.planning.auto import resolve
from cotracker_pipeline.predict_memory import inference_cases
from cotracker_pipeline.training.device import choose_device

#: Steps before those that are measured, to reach the steady state.
WARM_UP_STEPS = 3


def main() -> None:
    """Command line."""
    arguments = _parser().parse_args()
    study = load_study(arguments.config)
    device = choose_device(arguments.device)
    if arguments.snapshot is not None and device == "cpu":
        raise UserError("--snapshot records the allocator of a GPU; leave it out or choose --device cuda")
    variant = resolve(study.variant(arguments.variant), study.memory, card_bytes(device))
    report = measurement_report(variant, study.memory, device, arguments.steps, arguments.snapshot)
    write_text(arguments.output, json.dumps(report, indent=2) + "\n")


def measurement_report(
    variant: Variant, memory: Memory, device: str, steps: int, snapshot: Path | None = None
) -> dict[str, Any]:
    """What the step writes; bytes and seconds throughout. Keys that predictions have too mean the same."""
    case = Case(variant.recipe, variant.strategy, memory.clip, memory.model)
    measured = _measure_step(case, device, steps, snapshot)
    inference = [
        _inference(case, memory, device, *size) for size in inference_cases(variant.recipe, memory.clip)
    ]
    return {
        "variant": variant.name,
        **vars(measured),
        "warm_up_steps": WARM_UP_STEPS,
        "seconds_per_step": measured.seconds_per_step,
        "track_frames_per_second": _throughput(case, measured),
        "inference_peak_allocated_bytes": inference[0]["peak_allocated_bytes"],
        "inference": inference,
        "model": memory.model.model_dump(),
        "recipe": variant.recipe.model_dump(),
        "strategy": variant.strategy.model_dump(),
        "clip": memory.clip.model_dump(),
        **describe_machine(device)._asdict(),
    }


def _measure_step(case: Case, device: str, steps: int, snapshot: Path | None) -> Measurement:
    if device == "cuda":
        return measure_step_on_cuda(case, WARM_UP_STEPS, steps, snapshot)
    return measure_step_on_cpu(case, WARM_UP_STEPS, steps)


def _inference(case: Case, memory: Memory, device: str, frames: int, tracks: int) -> dict[str, Any]:
    case = case._replace(
        recipe=case.recipe.model_copy(update={"tracks": tracks}),
        clip=case.clip.model_copy(update={"batch_size": 1, "frames": frames}),
    )
    measure = measure_inference_on_cuda if device == "cuda" else measure_inference_on_cpu
    peak: InferencePeak = measure(case, memory.inference_iterations)
    return {"frames": frames, "tracks": tracks, "iterations": memory.inference_iterations, **vars(peak)}


def _throughput(case: Case, measured: Measurement) -> float | None:
    """Tracks times frames that are trained on in a second."""
    if measured.seconds_per_step is None:
        return None
    return case.clip.batch_size * case.clip.frames * case.recipe.tracks / measured.seconds_per_step


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m cotracker_pipeline.measure_memory", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="study file")
    parser.add_argument("--variant", required=True, help="one of the study's variants")
    parser.add_argument("--output", type=Path, required=True, metavar="JSON", help="file to write")
    parser.add_argument("--device", choices=["cuda", "cpu"], help="default: a GPU where there is one")
    parser.add_argument("--steps", type=_count, default=5, metavar="N", help="timed steps (default: 5)")
    parser.add_argument(
        "--snapshot", type=Path, metavar="PICKLE", help="allocations of one step, for pytorch.org/memory_viz"
    )
    return parser


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text}: must be a whole number from 1 on")
    return int(text)


if __name__ == "__main__":
    run(main)
