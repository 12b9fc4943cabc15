"""Figures of a study, in colours that colour-blind readers can tell apart, as reproducible SVG."""

import os
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure

from cotracker_pipeline.analysis.colours import PALETTE, component_colours
from cotracker_pipeline.analysis.evidence import METRICS, InferencePeak, Prediction
from cotracker_pipeline.analysis.scales import trained_size, true_size
from cotracker_pipeline.analysis.statistics import mean_interval, metric_matrix
from cotracker_pipeline.config import Study
from cotracker_pipeline.files import atomic_path
from cotracker_pipeline.units import GB, GIB

MARKERS = "osD^vPX*<>"
CARDS_GIB = (12, 24, 40, 48, 80)
SMOOTHED_ROWS = 5
"""Rows of the loss curve that the drawn line averages over."""


def memory_figure(study: Study, predictions: Mapping[str, Prediction]) -> Figure:
    """Stacked bars: what the training peak of each variant consists of, with card sizes as lines."""
    figure, axes = plain_axes(height=1.8 + 0.32 * len(predictions))
    names = list(predictions)
    left = np.zeros(len(names))
    parts = dict.fromkeys(part for one in predictions.values() for part in one.breakdown)
    for component, colour in component_colours(parts).items():
        sizes = np.array([one.breakdown.get(component, 0) / GB for one in predictions.values()])
        axes.barh(names, sizes, left=left, label=component, color=colour, edgecolor="white", linewidth=0.5)
        left += sizes
    for row, total in enumerate(left):
        axes.annotate(
            f"{total:.1f}", (total, row), (3, 0), textcoords="offset points", va="center", fontsize=8
        )
    _mark_cards(axes, float(left.max(initial=0)))
    axes.invert_yaxis()
    axes.set_xlim(0, 1.12 * max(left.max(initial=0), 1))
    axes.set_xlabel("peak allocated memory of a training step in GB (1e9 bytes); dotted: cards, in GiB")
    axes.set_title(f"{true_size(study)}, predicted", fontsize=9, pad=18)
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def trade_off_figure(study: Study, predictions: Mapping[str, Prediction], accuracy: pd.DataFrame) -> Figure:
    """Accuracy against memory: one marker a variant, bars for the bootstrap interval."""
    figure, axes = plain_axes(height=4.6)
    runs = accuracy[accuracy["query_mode"] == "first"]
    for index, (name, of_variant) in enumerate(runs.groupby("variant", sort=False)):
        if name not in predictions:
            continue
        metric = mean_interval(metric_matrix(of_variant, "average_jaccard").to_numpy())
        errors = 100 * np.nan_to_num([[metric.mean - metric.low], [metric.high - metric.mean]])
        axes.errorbar(
            predictions[str(name)].peak_allocated_bytes / GB,
            100 * metric.mean,
            yerr=np.maximum(errors, 0),
            fmt=MARKERS[index % len(MARKERS)],
            color=PALETTE[index % len(PALETTE)],
            label=name,
            capsize=2,
            elinewidth=0.8,
        )
    axes.set_xscale("log")
    _plain_ticks(axes.xaxis)
    axes.set_xlabel(f"peak training memory in GB (1e9 bytes), {true_size(study)}, predicted", fontsize=8)
    axes.set_ylabel(f"{METRICS['average_jaccard']} in points, query first")
    axes.set_title(f"accuracy at {trained_size(study)}", fontsize=8)
    axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def loss_figure(study: Study, losses: pd.DataFrame) -> Figure:
    """Training loss of every variant: mean over seeds, running mean over a few rows."""
    figure, axes = plain_axes(height=4.2)
    for index, (name, curves) in enumerate(losses.groupby("variant", sort=False)):
        mean = curves.groupby("step")["loss"].mean().rolling(SMOOTHED_ROWS, min_periods=1).mean()
        axes.plot(mean.index, mean.to_numpy(), label=name, linewidth=1.2, **line_style(index))
    axes.set_yscale("log")
    _plain_ticks(axes.yaxis)
    axes.set_xlabel("step")
    axes.set_ylabel(f"training loss (mean over seeds, running mean of {SMOOTHED_ROWS} rows)", fontsize=8)
    axes.set_title(trained_size(study), fontsize=8)
    axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def line_style(index: int) -> dict[str, Any]:
    """Of the line of the variant that is number ``index``, from 0."""
    return {
        "color": PALETTE[index % len(PALETTE)],
        "linestyle": ("-", "--", ":")[index // len(PALETTE) % 3],
    }


def inference_figure(study: Study, predictions: Mapping[str, Prediction]) -> Figure:
    """Inference peak of every variant, by video length and track count."""
    figure, axes = plain_axes(height=1.8 + 0.32 * len(predictions))
    names = list(predictions)
    cases = list(zip_longest(*(one.inference for one in predictions.values())))
    height = 0.8 / max(len(cases), 1)
    for index, case in enumerate(cases):
        axes.barh(
            np.arange(len(names)) - 0.4 + (index + 0.5) * height,
            [one.peak_allocated_bytes / GB if one else 0 for one in case],
            height=height,
            color=PALETTE[index % len(PALETTE)],
            label=case_label([one for one in case if one]),
        )
    axes.set_yticks(np.arange(len(names)), names)
    axes.invert_yaxis()
    axes.set_xlabel("peak allocated memory of inference in GB (1e9 bytes)")
    axes.set_title(f"{true_size(study)}, predicted", fontsize=9)
    if cases:
        axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def plain_axes(height: float) -> tuple[Figure, Axes]:
    """A figure of this ``height`` in inches with axes in the style of all figures."""
    figure = Figure(figsize=(8, height), layout="constrained")
    axes = figure.subplots()
    plain_style(axes)
    return figure, axes


def plain_style(axes: Axes) -> None:
    """The style of all figures."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25)
    axes.set_axisbelow(True)


def save_svg(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Write ``figure`` atomically; the same figure gives the same bytes."""
    with (
        mpl.rc_context({"svg.hashsalt": "cotracker-pipeline", "svg.fonttype": "path"}),
        atomic_path(path) as part,
    ):
        figure.savefig(part, format="svg", bbox_inches="tight", metadata={"Date": None})


def _plain_ticks(axis: Axis) -> None:
    """Plain numbers on a logarithmic axis, which may be shorter than a decade."""
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter("{x:g}")
    axis.set_tick_params(which="both", labelsize=7)


def _mark_cards(axes: Axes, largest: float) -> None:
    for card in CARDS_GIB:
        size = card * GIB / GB
        if size < 1.1 * largest:
            axes.axvline(size, color="black", linestyle=":", linewidth=0.8)
            axes.annotate(
                f"{card} GiB",
                (size, 1),
                (2, 0),
                xycoords=("data", "axes fraction"),
                textcoords="offset points",
                fontsize=7,
                va="bottom",
                ha="center",
            )


def case_label(peaks: Sequence[InferencePeak]) -> str:
    """Video length and track count of one position in the lists of inference peaks."""
    frames = "/".join(dict.fromkeys(str(peak.frames) for peak in peaks))
    tracks = list(dict.fromkeys(str(peak.tracks) for peak in peaks))
    return f"{frames} frames, {tracks[0] + ' tracks' if len(tracks) == 1 else 'tracks as in training'}"
