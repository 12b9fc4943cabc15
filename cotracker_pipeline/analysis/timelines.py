"""Figures of the memory over a training step, stacked by component."""

import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cotracker_pipeline.analysis.colours import component_colours
from cotracker_pipeline.analysis.evidence import Phase, Prediction, Timeline
from cotracker_pipeline.analysis.scales import true_size
from cotracker_pipeline.config import Study
from cotracker_pipeline.units import GB

COLUMNS = 3
"""Of the figure with all variants."""
COARSENESS = 4
"""Moments in which it shows one, the highest."""
NARROW = 0.07
"""Phases that take a smaller share of the axis are named together."""
LINE = 140
"""Letters in a line below the figure."""


def timeline_figure(study: Study, prediction: Prediction) -> Figure:
    """One variant: memory over the step, its phases, its peak, and the peak in words."""
    figure = Figure(figsize=(8, 5.6), layout="constrained")
    axes = figure.subplots()
    _draw(axes, prediction.timeline)
    _mark_phases(axes, prediction.timeline)
    _mark_peak(axes, prediction.timeline)
    axes.set_xlabel("allocations and releases of one training step, in order", fontsize=8)
    axes.set_ylabel("live memory in GB (1e9 bytes)", fontsize=8)
    tracks = study.variant(prediction.variant).recipe.tracks
    axes.set_title(f"{prediction.variant} at the {true_size(study, tracks)}, predicted", fontsize=9, pad=16)
    axes.legend(*_legend(axes), fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    lines = [line for sentence in prediction.explanation for line in _wrapped(sentence)]
    figure.supxlabel("\n".join(lines), x=0.01, ha="left", fontsize=7.5)
    return figure


def timelines_figure(study: Study, predictions: Mapping[str, Prediction]) -> Figure:
    """Every variant on one scale."""
    rows = -(-len(predictions) // COLUMNS)
    figure = Figure(figsize=(9, 0.8 + 1.7 * rows), layout="constrained")
    grid = figure.subplots(rows, COLUMNS, sharey=True, squeeze=False)
    for axes in grid.flat[len(predictions) :]:
        axes.remove()
    for axes, prediction in zip(grid.flat, predictions.values(), strict=False):
        _draw(axes, coarser(prediction.timeline, COARSENESS))
        axes.set_title(f"{prediction.variant}: {prediction.peak_allocated_bytes / GB:.1f} GB", fontsize=8)
        axes.set_xticks([phase.start for phase in prediction.timeline.phases[1:]], [])
        axes.tick_params(labelsize=7)
    figure.legend(*_legend(grid.flat[0]), fontsize=8, loc="outside right center")
    figure.suptitle(f"memory over a training step at the {true_size(study)}, predicted", fontsize=9)
    figure.supylabel("live memory in GB (1e9 bytes)", fontsize=8)
    figure.supxlabel("one training step; marks: where a phase ends", fontsize=8)
    return figure


def _draw(axes: Axes, timeline: Timeline) -> None:
    """The stack, in the order of the legend from above."""
    colours = component_colours(timeline.components)
    names = list(reversed(colours))
    sizes = [np.array(timeline.components[name]) / GB for name in names]
    axes.stackplot(
        timeline.positions, *sizes, labels=names, colors=[colours[name] for name in names], linewidth=0
    )
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlim(0, timeline.positions[-1])
    axes.grid(alpha=0.25)


def _legend(axes: Axes) -> tuple[list, list[str]]:
    handles, labels = axes.get_legend_handles_labels()
    return handles[::-1], labels[::-1]


def _mark_phases(axes: Axes, timeline: Timeline) -> None:
    for phase in timeline.phases[1:]:
        axes.axvline(phase.start, color="black", linestyle=":", linewidth=0.8)
    for names, start, end in phase_labels(timeline.phases, timeline.positions[-1]):
        axes.annotate(
            names,
            ((start + end) / 2, 1),
            (0, 3),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            fontsize=8,
            ha="center",
        )


def phase_labels(phases: Sequence[Phase], length: int) -> list[tuple[str, int, int]]:
    """(names, start, end): neighbours that are both narrow share a label."""
    labels: list[tuple[str, int, int]] = []
    for phase in phases:
        narrow = phase.end - phase.start < NARROW * length
        if labels and narrow and labels[-1][2] - labels[-1][1] < NARROW * length:
            names, start, _ = labels.pop()
            labels.append((f"{names}, {phase.name}", start, phase.end))
        else:
            labels.append((phase.name, phase.start, phase.end))
    return labels


def _mark_peak(axes: Axes, timeline: Timeline) -> None:
    totals = _totals(timeline)
    peak = max(totals)
    place = timeline.positions[totals.index(peak)]
    on_the_left = place < timeline.positions[-1] / 2
    axes.plot(place, peak / GB, marker="o", color="black", markersize=4)
    axes.annotate(
        f"peak: {peak / GB:.2f} GB",
        (place, peak / GB),
        (8 if on_the_left else -8, 2),
        textcoords="offset points",
        ha="left" if on_the_left else "right",
        fontsize=9,
    )


def coarser(timeline: Timeline, coarseness: int) -> Timeline:
    """The first and the last moment, and of every ``coarseness`` between them the highest."""
    totals = _totals(timeline)
    inner = range(1, len(totals) - 1)
    groups = [inner[start : start + coarseness] for start in range(0, len(inner), coarseness)]
    kept = [0, *(max(group, key=totals.__getitem__) for group in groups), len(totals) - 1]
    return timeline.model_copy(
        update={
            "positions": tuple([timeline.positions[place] for place in kept]),
            "components": {
                name: tuple([sizes[place] for place in kept]) for name, sizes in timeline.components.items()
            },
        }
    )


def _totals(timeline: Timeline) -> list[int]:
    return [sum(sizes) for sizes in zip(*timeline.components.values(), strict=True)]


def _wrapped(sentence: str) -> list[str]:
    return textwrap.wrap(sentence, LINE, subsequent_indent="    ")
