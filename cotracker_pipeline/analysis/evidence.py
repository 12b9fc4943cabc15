"""Reading what the earlier steps measured.

The variant, the seed and the baseline of a file are read off its place in the results folder:
``eval/{variant}/seed-{seed}/evaluation.csv``, ``eval/baselines/{baseline}/evaluation.csv``,
``train/{variant}/seed-{seed}/loss.csv`` and ``validation.csv``.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from cotracker_pipeline.config import Study
from cotracker_pipeline.errors import UserError

R = TypeVar("R", bound=BaseModel)

METRICS = {
    "average_jaccard": "AJ",
    "average_pts_within_thresh": "δ avg",
    "occlusion_accuracy": "OA",
}
"""Columns of an evaluation, 0..1, and what tables and figures call them."""

LOSS_COLUMNS = (
    "step",
    "loss",
    "coordinate_loss",
    "visibility_loss",
    "gradient_norm",
    "learning_rate",
    "seconds",
)

TIME_COLUMNS = ("device", "round", "variant", "seconds")
"""Of step times: a round times every variant, one after the other."""


class InferencePeak(BaseModel):
    """Peak memory of tracking one video without gradients; ``peak_blocks_bytes`` is what a GPU reports."""

    frames: int
    tracks: int
    iterations: int
    peak_allocated_bytes: int
    peak_blocks_bytes: int


class MeasuredInference(BaseModel):
    """The same as measured; None when memory ran out."""

    frames: int
    tracks: int
    peak_allocated_bytes: int | None


class Measurement(BaseModel):
    """What ``measure_memory`` says about one variant. Further keys are let through.

    Numbers are None where memory ran out or the device has no such number.
    """

    model_config = ConfigDict(extra="allow")

    variant: str
    status: str
    peak_allocated_bytes: int | None
    peak_reserved_bytes: int | None
    peak_resident_bytes: int | None
    outside_allocator_bytes: int | None
    inference_peak_allocated_bytes: int | None
    seconds_per_step: float | None
    track_frames_per_second: float | None
    inference: tuple[MeasuredInference, ...]
    device: str
    driver: str | None
    cuda: str | None
    torch: str


class Phase(BaseModel):
    """A part of a training step, from event ``start`` to event ``end``."""

    name: str
    start: int
    end: int


class Timeline(BaseModel):
    """Bytes of every component at some moments of a training step, the peak among them.

    ``positions`` are in events (allocations and releases) since the beginning, as phases are.
    """

    positions: tuple[int, ...]
    components: dict[str, tuple[int, ...]]
    phases: tuple[Phase, ...]

    @model_validator(mode="after")
    def _every_moment_is_complete(self) -> "Timeline":
        if any(len(sizes) != len(self.positions) for sizes in self.components.values()):
            raise ValueError("a component has no number for every position")
        return self


class Prediction(BaseModel):
    """What ``predict_memory`` says about one variant at the true size. Further keys are let through.

    ``smallest_card_bytes`` includes ``allowance_bytes``, what context and library workspaces take.
    ``explanation`` is the peak in words: when it is, and then what holds the bytes.
    """

    model_config = ConfigDict(extra="allow")

    variant: str
    peak_allocated_bytes: int
    peak_blocks_bytes: int
    peak_reserved_bytes: int
    smallest_card_bytes: int
    allowance_bytes: int
    inference_peak_allocated_bytes: int
    flops: float
    breakdown: dict[str, int]
    explanation: tuple[str, ...]
    timeline: Timeline
    inference: tuple[InferencePeak, ...] = ()


class Budget(BaseModel):
    """The fastest rung that fits on a card; where nothing does, the leanest that was tried.

    ``plain_flops``: operations of the study's own recipe, computed plainly. Further keys are let through.
    """

    model_config = ConfigDict(extra="allow")

    card_gib: int
    allowed: tuple[str, ...]
    rung: str
    fits: bool
    smallest_card_bytes: int
    peak_allocated_bytes: int
    flops: float
    plain_flops: float


class Budgets(BaseModel):
    """What ``plan_budgets`` says: for every card the recipe kept, then whatever is allowed."""

    budgets: tuple[Budget, ...]


@dataclass(frozen=True)
class Evidence:
    """Everything that verdicts and figures rest on.

    Attributes:
        predictions: by variant, at the true size.
        accuracy: one row a variant, seed, query mode and video; columns variant, seed, query_mode, video and
            the metrics (0..1), at the scale of the study's training.
        floors: the same with column baseline instead of variant and seed.
        losses: columns variant, seed and ``LOSS_COLUMNS``, one row a logged step.
        step_times: columns ``TIME_COLUMNS``, one row a timed step at the true size.
        validation: columns variant, seed, step and the metrics (0..1), one row a validation; none where
            trainings were not validated.
    """

    predictions: Mapping[str, Prediction]
    accuracy: pd.DataFrame
    floors: pd.DataFrame
    losses: pd.DataFrame
    step_times: pd.DataFrame
    validation: pd.DataFrame


def read_evidence(
    predictions: Iterable[Path],
    evaluations: Iterable[Path],
    floors: Iterable[Path],
    losses: Iterable[Path],
    step_times: pd.DataFrame,
    validation: Iterable[Path] = (),
) -> Evidence:
    """Read all artefacts. Raises ``UserError`` naming the file that cannot be used."""
    return Evidence(
        read_predictions(predictions),
        read_accuracy(evaluations),
        read_floors(floors),
        read_losses(losses),
        step_times,
        read_validation(validation),
    )


def read_step_times(paths: Iterable[Path], study: Study) -> pd.DataFrame:
    """``Evidence.step_times`` of the variants that are the same in ``study``. Raises ``UserError``."""
    labels = ["tf32", "tracks", "frames", "precision", "checkpoint"]
    rows = _read_tables(paths, lambda _: {}, [*TIME_COLUMNS, *labels])
    rows = rows[rows["tf32"] == "torch"].dropna(subset="seconds").fillna({"checkpoint": ""})
    same = [
        (row.variant, row.tracks, row.frames, row.precision, row.checkpoint) in _timed(study)
        for row in rows.itertuples()
    ]
    return rows.loc[same, list(TIME_COLUMNS)]


def _timed(study: Study) -> set[tuple[str, int, int, str, str]]:
    """What a row of step times says of each variant."""
    frames = study.memory.clip.frames
    return {
        (name, one.recipe.tracks, frames, one.strategy.precision, "+".join(one.strategy.checkpoint))
        for name, one in study.resolved.items()
    }


def read_predictions(paths: Iterable[Path]) -> dict[str, Prediction]:
    """Predictions by variant, in the order of ``paths``. Raises ``UserError``."""
    predictions = [_read_report(path, Prediction, "predict_memory") for path in paths]
    return {prediction.variant: prediction for prediction in predictions}


def read_measurements(paths: Iterable[Path]) -> list[Measurement]:
    """Measured memory and time, in the order of ``paths``. Raises ``UserError``."""
    return [_read_report(path, Measurement, "measure_memory") for path in paths]


def read_budgets(path: Path) -> tuple[Budget, ...]:
    """What fits on which card. Raises ``UserError``."""
    return _read_report(path, Budgets, "plan_budgets").budgets


def read_accuracy(paths: Iterable[Path]) -> pd.DataFrame:
    """``Evidence.accuracy`` from evaluations of variants. Raises ``UserError``."""
    return _read_tables(paths, run_of, ["variant", "seed", "query_mode", "video", *METRICS])


def read_floors(paths: Iterable[Path]) -> pd.DataFrame:
    """``Evidence.floors`` from evaluations of baselines. Raises ``UserError``."""
    return _read_tables(
        paths, lambda path: {"baseline": path.parent.name}, ["baseline", "query_mode", "video", *METRICS]
    )


def read_losses(paths: Iterable[Path]) -> pd.DataFrame:
    """``Evidence.losses`` from loss curves. Raises ``UserError``."""
    return _read_tables(paths, run_of, ["variant", "seed", *LOSS_COLUMNS])


def read_validation(paths: Iterable[Path]) -> pd.DataFrame:
    """``Evidence.validation`` from validation curves. Raises ``UserError``."""
    return _read_tables(paths, run_of, ["variant", "seed", "step", *METRICS])


def read_verdicts(path: Path) -> pd.DataFrame:
    """What ``judge`` decided, one row a criterion. Raises ``UserError``."""
    return _read_tables([path], lambda _: {}, ["claim", "statement", "verdict"])


def _read_report(path: Path, kind: type[R], step: str) -> R:
    """The JSON file that ``step`` wrote, checked."""
    try:
        return kind.model_validate_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); run {step} first") from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise UserError(f"{path}: {key or 'content'}: {first['msg']}; run {step} again") from error


def run_of(path: Path) -> dict[str, Any]:
    """Variant and seed of a file in ``{variant}/seed-{seed}/``."""
    folder, prefix = path.parent.name, "seed-"
    if not (folder.startswith(prefix) and folder.removeprefix(prefix).isdecimal()):
        raise UserError(f"{path}: the seed is not known; put the file into <variant>/seed-<number>/")
    return {"variant": path.parent.parent.name, "seed": int(folder.removeprefix(prefix))}


def _read_tables(paths: Iterable[Path], labels: Any, columns: list[str]) -> pd.DataFrame:
    """One frame of all CSV files, each labelled by its place; ``columns`` must be there."""
    frames = [_read_csv(path).assign(**labels(path)) for path in paths]
    for path, frame in zip(paths, frames, strict=True):
        missing = [column for column in columns if column not in frame]
        if missing:
            raise UserError(f"{path}: column {missing[0]} is missing; run the step that writes it again")
    return pd.concat(frames, ignore_index=True)[columns] if frames else pd.DataFrame(columns=columns)


def _read_csv(path: Path) -> pd.DataFrame:
    try:
        return pd.read_csv(path)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); run the step that writes it") from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: is no CSV table ({error}); run the step that writes it again") from error
