"""The table of measured memory and time, beside the prediction."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import pandas as pd

from cotracker_pipeline.analysis.evidence import Measurement, Prediction
from cotracker_pipeline.analysis.scales import true_size
from cotracker_pipeline.analysis.tables import Section, Table, measurements
from cotracker_pipeline.config import Study
from cotracker_pipeline.units import GB

NOTE = (
    "GB = 1e9 bytes. Difference: of the measured to the predicted number. Allocated: on a GPU whole blocks "
    "of the allocator, on a CPU live storages. Beside the allocator, on a GPU: context and libraries. "
    "Resident: of a process that does nothing else, interpreter and libraries included."
)


def measured_table(
    study: Study, measured: Sequence[Measurement], predictions: Mapping[str, Prediction]
) -> Table:
    """One block for every machine that something was measured on; predictions may be missing."""
    machines = dict.fromkeys(_machine(one) for one in measured)
    sections = [
        Section(
            f"Memory and time at the {true_size(study)}, measured on {machine}",
            _frame((one for one in measured if _machine(one) == machine), predictions),
        )
        for machine in machines
    ]
    data = measurements(
        {
            "scale": f"{true_size(study)}, {_machine(one)}",
            "subject": one.variant,
            "measure": measure,
            "unit": unit,
            "value": value,
        }
        for one in measured
        for measure, unit, value in _measures(one, predictions.get(one.variant))
        if value is not None
    )
    return Table("Measured memory and time of one training step", data, sections, [NOTE])


def _machine(measured: Measurement) -> str:
    driver = f"driver {measured.driver}, " if measured.driver else ""
    return f"{measured.device} ({driver}torch {measured.torch})"


def _measures(measured: Measurement, predicted: Prediction | None) -> Iterator[tuple[str, str, float | None]]:
    """(measure, unit, value); the value is None where there is none."""
    allocated, reserved, _ = _predicted(measured, predicted)
    yield "peak_allocated", "B", measured.peak_allocated_bytes
    yield "predicted_peak_allocated", "B", allocated
    yield "peak_reserved", "B", measured.peak_reserved_bytes
    yield "predicted_peak_reserved", "B", reserved
    yield "peak_resident", "B", measured.peak_resident_bytes
    yield "outside_allocator", "B", measured.outside_allocator_bytes
    yield "seconds_per_step", "s", measured.seconds_per_step
    yield "track_frames_per_second", "1/s", measured.track_frames_per_second
    for peak in measured.inference:
        yield f"inference_peak_{peak.frames}_frames_{peak.tracks}_tracks", "B", peak.peak_allocated_bytes


def _frame(measured: Iterable[Measurement], predictions: Mapping[str, Prediction]) -> pd.DataFrame:
    """One row a variant; columns that are empty on this machine are left out."""
    frame = pd.DataFrame([_row(one, predictions.get(one.variant)) for one in measured])
    return frame.loc[:, (frame != "").any()]


def _row(measured: Measurement, predicted: Prediction | None) -> dict[str, str]:
    allocated, reserved, inference = _predicted(measured, predicted)
    return {
        "variant": measured.variant,
        "result": measured.status,
        **_beside("allocated", measured.peak_allocated_bytes, allocated),
        **_beside("reserved", measured.peak_reserved_bytes, reserved),
        "resident GB": _gigabytes(measured.peak_resident_bytes),
        "beside the allocator GB": _gigabytes(measured.outside_allocator_bytes),
        **_beside("inference", measured.inference_peak_allocated_bytes, inference),
        "s per step": _number(measured.seconds_per_step, ".3f"),
        "tracks x frames per s": _number(measured.track_frames_per_second, ".0f"),
    }


def _predicted(
    measured: Measurement, predicted: Prediction | None
) -> tuple[int | None, int | None, int | None]:
    """Bytes allocated, reserved, and allocated in inference, counted as the measurement counts them."""
    if predicted is None:
        return None, None, None
    # only CUDA's allocator has blocks and reserves
    if measured.cuda is None:
        return predicted.peak_allocated_bytes, None, predicted.inference_peak_allocated_bytes
    inference = predicted.inference[0].peak_blocks_bytes if predicted.inference else None
    return predicted.peak_blocks_bytes, predicted.peak_reserved_bytes, inference


def _beside(name: str, measured: int | None, predicted: int | None) -> dict[str, str]:
    difference = None if measured is None or predicted is None else 100 * (measured / predicted - 1)
    return {
        f"{name} GB": _gigabytes(measured),
        f"{name}, predicted GB": _gigabytes(predicted),
        f"{name}, difference %": _number(difference, "+.2f"),
    }


def _gigabytes(size: int | None) -> str:
    return "" if size is None else f"{size / GB:.2f}"


def _number(value: float | None, style: str) -> str:
    return "" if value is None else format(value, style)
