"""Memory and time on a CPU: live storages as the tracker counts them, and resident memory of a process."""

from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context

from cotracker_pipeline.errors import UserError
from cotracker_pipeline.memory.measured_inference import real_tracking, time_tracking
from cotracker_pipeline.memory.measured_step import Case, real_step, time_steps
from cotracker_pipeline.memory.measurement import InferencePeak, Measurement, attempt
from cotracker_pipeline.memory.prediction import predict_peak_memory
from cotracker_pipeline.memory.resident import available_bytes, peak_resident_bytes
from cotracker_pipeline.memory.step import track_inference, track_training_step


def measure_step_on_cpu(case: Case, warm_up: int, steps: int) -> Measurement:
    """Measure a training step in the steady state.

    The tracked step updates all parameters at once, as CUDA does and the prediction assumes; the timed steps
    do what is usual on a CPU.

    Args:
        case: what to measure.
        warm_up: steps before.
        steps: steps that are timed.

    Raises:
        UserError: when the step would not fit into the free memory of this machine, or the model cannot
            process such a clip.
    """
    _check_memory(case)
    return attempt(
        lambda: _measure_step(case, warm_up, steps), lambda message: Measurement("out of memory", message)
    )


def measure_inference_on_cpu(case: Case, iterations: int) -> InferencePeak:
    """Measure tracking the recipe's number of tracks through one video without gradients."""
    return attempt(
        lambda: _measure_inference(case, iterations), lambda message: InferencePeak("out of memory", message)
    )


def _measure_step(case: Case, warm_up: int, steps: int) -> Measurement:
    start, peak = _resident(case, warm_up)
    step = real_step(case, "cpu")
    time_steps(step, warm_up)
    seconds = time_steps(step, steps)
    tracker = track_training_step(step)
    return Measurement(
        "measured",
        peak_allocated_bytes=tracker.peak.bytes,
        steady_allocated_bytes=tracker.live_bytes,
        peak_resident_bytes=peak,
        start_resident_bytes=start,
        step_seconds=seconds,
    )


def _measure_inference(case: Case, iterations: int) -> InferencePeak:
    tracking = real_tracking(case, "cpu")
    seconds = time_tracking(tracking, iterations)
    peak = track_inference(*tracking, iterations).peak.bytes
    return InferencePeak("measured", peak_allocated_bytes=peak, seconds=seconds)


def _check_memory(case: Case) -> None:
    needed = predict_peak_memory(*case).peak_allocated_bytes
    available = available_bytes()
    if needed > available:
        raise UserError(
            f"the training step takes {needed / 1e9:.1f} GB and this machine has {available / 1e9:.1f} GB "
            "free; measure on a GPU, or give the study a smaller memory section"
        )


def _resident(case: Case, steps: int) -> tuple[int, int]:
    """Resident bytes of a fresh process before it builds the model, and at its peak over ``steps`` steps."""
    try:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
            return process.submit(_take_steps, case, steps).result()
    except BrokenProcessPool as error:
        raise MemoryError("the system ended the process, as it does when memory runs out") from error


def _take_steps(case: Case, steps: int) -> tuple[int, int]:
    start = peak_resident_bytes()
    time_steps(real_step(case, "cpu"), steps)
    return start, peak_resident_bytes()
