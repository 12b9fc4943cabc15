"""CPU seconds of predicting the memory of each variant of a study, by part and in total.

Each variant is predicted by a process of its own, as in the workflow. Starting Python and importing torch is
a part as well; what torch imports later, about 0.7 s, is in the training step.

    python benchmarks/prediction_time.py --config config/config.yaml
"""

import argparse
import gc
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

from cotracker_pipeline.config import Study, Variant, load_study
from cotracker_pipeline.predict_memory import memory_report

PARTS = ("start", "training step", "reservation", "inference")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--config", type=Path, required=True, help="study file")
    parser.add_argument("--variant", help="only this one, as JSON")
    arguments = parser.parse_args()
    study = load_study(arguments.config)
    if arguments.variant:
        print(json.dumps(measure(study.variant(arguments.variant), study)))
    else:
        print_table(study, arguments.config)


def print_table(study: Study, config: Path) -> None:
    """One row per variant, then their sum."""
    print_row("variant", [*PARTS, "sum"])
    sums = dict.fromkeys(PARTS, 0.0)
    for name in study.variants:
        command = [sys.executable, __file__, "--config", str(config), "--variant", name]
        seconds = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        sums = {part: sums[part] + seconds[part] for part in PARTS}
        print_seconds(name, seconds)
    print_seconds("sum", sums)


def print_seconds(name: str, seconds: dict[str, float]) -> None:
    """A row of seconds by part, and their sum."""
    print_row(name, [f"{value:.2f}" for value in (*seconds.values(), sum(seconds.values()))])


def print_row(name: str, cells: list[str]) -> None:
    """A row of right-aligned cells."""
    print(f"{name:24}" + "".join(f"{cell:>15}" for cell in cells), flush=True)


def measure(variant: Variant, study: Study) -> dict[str, float]:
    """CPU seconds of this process, by part."""
    # as the step does
    gc.disable()
    from cotracker_pipeline import memory
    from cotracker_pipeline.memory import prediction

    start = time.process_time()
    seconds = dict.fromkeys(PARTS, 0.0) | {"start": start}

    def timed(part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any) -> Any:
            before = time.process_time()
            result = function(*arguments)
            seconds[part] += time.process_time() - before
            return result

        return run

    with (
        patch.object(prediction, "reservation", timed("reservation", prediction.reservation)),
        patch.object(memory, "predict_inference_peak", timed("inference", memory.predict_inference_peak)),
    ):
        memory_report(variant, study.memory)
    others = seconds["reservation"] + seconds["inference"]
    return seconds | {"training step": time.process_time() - start - others}


if __name__ == "__main__":
    main()
