"""The figure of validation curves."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cotracker_pipeline.analysis.evidence import METRICS
from cotracker_pipeline.analysis.figures import line_style, plain_style
from cotracker_pipeline.analysis.scales import trained_size
from cotracker_pipeline.config import Study


def validation_figure(study: Study, validation: pd.DataFrame) -> Figure:
    """Accuracy on the validation split over the steps, by metric: mean over seeds, each seed as a thin line.

    Args:
        study: whose trainings were validated.
        validation: as ``Evidence.validation``.
    """
    figure = Figure(figsize=(8, 7.5), layout="constrained")
    panels = figure.subplots(len(METRICS), sharex=True)
    for axes, (metric, label) in zip(panels, METRICS.items(), strict=True):
        plain_style(axes)
        _draw_metric(axes, validation, metric)
        axes.set_ylabel(f"{label} in points", fontsize=8)
    panels[-1].set_xlabel("step")
    panels[0].set_title(
        f"validation split, mean over seeds; thin: single seeds\n{trained_size(study)}", fontsize=8
    )
    panels[0].legend(fontsize=7, loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def _draw_metric(axes: Axes, validation: pd.DataFrame, metric: str) -> None:
    for index, (name, curves) in enumerate(validation.groupby("variant", sort=False)):
        style = line_style(index)
        for _, of_seed in curves.groupby("seed"):
            axes.plot(of_seed["step"], 100 * of_seed[metric], linewidth=0.5, alpha=0.4, **style)
        mean = 100 * curves.groupby("step")[metric].mean()
        # a curve may be of one row
        axes.plot(mean.index, mean.to_numpy(), label=name, linewidth=1.4, marker="o", markersize=3, **style)
