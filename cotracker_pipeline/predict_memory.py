"""Predict the memory of one variant at the true size: one training step, and inference. Needs no GPU."""

import argparse
import gc
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cotracker_pipeline.command import run
from cotracker_pipeline.config import Clip, Memory, Recipe, Variant, load_study
from cotracker_pipeline.files import write_text

if TYPE_CHECKING:
    from cotracker_pipeline.memory import Prediction

#: Tracks of the largest inference: a dense grid, where the correlation and not the encoder has the peak.
DENSE_TRACKS = 6144


def main() -> None:
    """Command line."""
    arguments = _parser().parse_args()
    # nearly all that is made from here on, imports included, lasts as long as the process
    gc.disable()
    study = load_study(arguments.config)
    report = memory_report(_resolved(study.variant(arguments.variant), study.memory), study.memory)
    write_text(arguments.output, _text(report))
    print(*report["explanation"], sep="\n")


def _resolved(variant: Variant, memory: Memory) -> Variant:
    if not variant.strategy.auto:
        return variant
    from cotracker_pipeline.planning.auto import resolve

    return resolve(variant, memory, None)


def memory_report(variant: Variant, memory: Memory) -> dict[str, Any]:
    """What the step writes; bytes throughout."""
    # torch takes more than a second: mistakes in the study are told before
    from cotracker_pipeline.memory import predict_peak_memory

    name, recipe, strategy = variant
    prediction = predict_peak_memory(recipe, strategy, memory.clip, memory.model, memory.card)
    inference = [_inference(variant, memory, *case) for case in inference_cases(recipe, memory.clip)]
    return {
        "variant": name,
        "peak_allocated_bytes": prediction.peak_allocated_bytes,
        "peak_blocks_bytes": prediction.peak_blocks_bytes,
        "peak_reserved_bytes": prediction.peak_reserved_bytes,
        "smallest_card_bytes": prediction.smallest_card_bytes,
        "allowance_bytes": prediction.allowance_bytes,
        "inference_peak_allocated_bytes": inference[0]["peak_allocated_bytes"],
        "flops": prediction.flops,
        "breakdown": prediction.breakdown,
        "peak": {
            "phase": prediction.peak.phase,
            "module": prediction.peak.module,
            "operation": prediction.peak.operation,
        },
        "explanation": prediction.explanation,
        "holders": [holder._asdict() | {"parts": dict(holder.parts)} for holder in prediction.holders],
        "timeline": _timeline(prediction),
        "inference": inference,
        "model": memory.model.model_dump(),
        "recipe": recipe.model_dump(),
        "strategy": strategy.model_dump(),
        "clip": memory.clip.model_dump(),
    }


def inference_cases(recipe: Recipe, clip: Clip) -> list[tuple[int, int]]:
    """(frames, tracks): the size of training, many tracks, and a longer video."""
    return [(clip.frames, recipe.tracks), (clip.frames, DENSE_TRACKS), (2 * clip.frames, recipe.tracks)]


def _timeline(prediction: "Prediction") -> dict[str, Any]:
    timeline = prediction.timeline
    return timeline._asdict() | {"phases": [phase._asdict() for phase in timeline.phases]}


def _text(report: dict[str, Any]) -> str:
    """JSON to be read: a line an entry, but lists of numbers on one line."""
    text = json.dumps(report, indent=2, ensure_ascii=False)
    return re.sub(r"\[[\s\d,]+\]", lambda found: re.sub(r"\s+", " ", found[0]), text) + "\n"


def _inference(variant: Variant, memory: Memory, frames: int, tracks: int) -> dict[str, int]:
    from cotracker_pipeline.memory import predict_inference_peak

    peak = predict_inference_peak(
        variant.recipe.model_copy(update={"tracks": tracks}),
        variant.strategy,
        memory.clip.model_copy(update={"batch_size": 1, "frames": frames}),
        memory.model,
        memory.inference_iterations,
        memory.card,
    )
    return {
        "frames": frames,
        "tracks": tracks,
        "iterations": memory.inference_iterations,
        **peak._asdict(),
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m cotracker_pipeline.predict_memory", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="study file")
    parser.add_argument("--variant", required=True, help="one of the study's variants")
    parser.add_argument("--output", type=Path, required=True, metavar="JSON", help="file to write")
    return parser


if __name__ == "__main__":
    run(main)
