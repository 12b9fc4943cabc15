"""The accuracy table: every variant at the trained scale, beside the floors."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from cotracker_pipeline.analysis.evidence import METRICS
from cotracker_pipeline.analysis.scales import trained_size
from cotracker_pipeline.analysis.statistics import (
    Interval,
    difference_of_matrices,
    mean_interval,
    metric_matrix,
)
from cotracker_pipeline.analysis.tables import Section, Table, measurements
from cotracker_pipeline.config import Study

NOTE = (
    "Metrics in points (hundredths) at 256x256; [low, high] is the 95 % bootstrap interval over videos and "
    "seeds, with one seed over videos only. Differences are paired: same videos, same seeds as the baseline. "
    "Floors are not trained."
)


class Summary(NamedTuple):
    """The intervals of a subject in a query mode: of its metrics, and of the differences to the baseline."""

    subject: str
    query_mode: str
    measures: dict[str, Interval]


def accuracy_table(study: Study, accuracy: pd.DataFrame, floors: pd.DataFrame) -> Table:
    """Means and paired differences of every variant, and the floors."""
    summaries = accuracy_summaries(accuracy, floors)
    data = accuracy_measurements(study, summaries)
    sections = accuracy_sections(study, accuracy, summaries)
    return Table("Accuracy on unseen clips", data, sections, [NOTE, *resolution(summaries)])


def accuracy_measurements(study: Study, summaries: Iterable[Summary]) -> pd.DataFrame:
    """Tidy: one row a subject, query mode and measure. Values in 0..1."""
    scale = trained_size(study)
    return measurements(
        {
            "scale": scale,
            "subject": subject,
            "query_mode": mode,
            "measure": measure,
            "unit": "share",
            "value": interval.mean,
            "low": interval.low,
            "high": interval.high,
            # a floor is trained with no seed
            "seeds": interval.seeds if subject in study.resolved else 0,
            "videos": interval.videos,
        }
        for subject, mode, measures in summaries
        for measure, interval in measures.items()
    )


def accuracy_sections(study: Study, accuracy: pd.DataFrame, summaries: Sequence[Summary]) -> list[Section]:
    """One block a query mode; one row a variant, then the floors."""
    modes = dict.fromkeys(mode for _, mode, _ in summaries)
    return [
        Section(
            f"Accuracy at {trained_size(study)}, query mode {mode}{_runs(study, accuracy, mode)}",
            pd.DataFrame([_row(study, subject, of) for subject, this, of in summaries if this == mode]),
        )
        for mode in modes
    ]


def resolution(summaries: Sequence[Summary]) -> list[str]:
    """What difference to the baseline can be told from none: a sentence a query mode."""
    return [
        f"Resolution in query mode {mode}: {', '.join(parts)} points, half the width of the interval of a "
        "paired difference (median over the variants that differ from the baseline)."
        for mode in dict.fromkeys(mode for _, mode, _ in summaries)
        if (parts := list(_half_widths([of for _, this, of in summaries if this == mode])))
    ]


def _half_widths(measures: Sequence[dict[str, Interval]]) -> Iterator[str]:
    for metric, label in METRICS.items():
        intervals = [of[f"{metric}_difference"] for of in measures if f"{metric}_difference" in of]
        widths = [interval.half_width for interval in intervals if interval.half_width > 0]
        if widths:
            yield f"{label} {100 * np.median(widths):.1f}"


def _runs(study: Study, accuracy: pd.DataFrame, mode: str) -> str:
    """Steps, seeds and videos behind the numbers."""
    runs = accuracy[accuracy["query_mode"] == mode]
    return f", steps {study.recipe.steps}, seeds {runs['seed'].nunique()}, videos {runs['video'].nunique()}"


def accuracy_summaries(accuracy: pd.DataFrame, floors: pd.DataFrame) -> list[Summary]:
    """Every variant's, then every floor's."""
    return [*_of_variants(accuracy), *_of_floors(floors)]


def _of_variants(accuracy: pd.DataFrame) -> Iterator[Summary]:
    for mode, of_mode in accuracy.groupby("query_mode", sort=False):
        baseline = _matrices(of_mode[of_mode["variant"] == "baseline"])
        for name, runs in of_mode.groupby("variant", sort=False):
            own = _matrices(runs)
            differences = {} if name == "baseline" else _differences(own, baseline)
            yield Summary(str(name), str(mode), _means(own) | differences)


def _of_floors(floors: pd.DataFrame) -> Iterator[Summary]:
    for (mode, name), runs in floors.groupby(["query_mode", "baseline"], sort=False):
        yield Summary(str(name), str(mode), _means(_matrices(runs.assign(seed=0))))


def _matrices(runs: pd.DataFrame) -> dict[str, pd.DataFrame]:
    return {metric: metric_matrix(runs, metric) for metric in METRICS}


def _means(matrices: dict[str, pd.DataFrame]) -> dict[str, Interval]:
    return {metric: mean_interval(matrix.to_numpy()) for metric, matrix in matrices.items()}


def _differences(own: dict[str, pd.DataFrame], baseline: dict[str, pd.DataFrame]) -> dict[str, Interval]:
    """To the baseline; none where that is missing."""
    if not any(len(matrix) for matrix in baseline.values()):
        return {}
    return {
        f"{metric}_difference": difference_of_matrices(own[metric], baseline[metric]) for metric in METRICS
    }


def _row(study: Study, subject: str, measures: dict[str, Interval]) -> dict[str, Any]:
    variant = study.resolved.get(subject)
    cells: dict[str, Any] = {
        "variant": subject if variant else f"{subject} (floor)",
        "loss": variant.recipe.loss if variant else "",
    }
    for metric, label in METRICS.items():
        cells[label] = _points(measures[metric])
        cells[f"Δ {label}"] = _points(measures.get(f"{metric}_difference"), sign="+")
    return cells


def _points(interval: Interval | None, sign: str = "") -> str:
    """A share in points, with its interval where there is one."""
    if interval is None or np.isnan(interval.mean):
        return ""
    mean = f"{100 * interval.mean:{sign}.1f}"
    if np.isnan(interval.low):
        return mean
    return f"{mean} [{100 * interval.low:{sign}.1f}, {100 * interval.high:{sign}.1f}]"
