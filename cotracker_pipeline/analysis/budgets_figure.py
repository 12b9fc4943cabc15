"""The figure of budgets: need against capacity, card by card."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cotracker_pipeline.analysis.budgets_table import allowance
from cotracker_pipeline.analysis.colours import GREYS, PALETTE
from cotracker_pipeline.analysis.evidence import Budget
from cotracker_pipeline.analysis.figures import plain_axes
from cotracker_pipeline.analysis.scales import true_size
from cotracker_pipeline.config import Study
from cotracker_pipeline.units import GB, GIB

#: Height of one card's bars.
BAND = 0.8


def budgets_figure(study: Study, budgets: Sequence[Budget]) -> Figure:
    """One group of bars a card: what the chosen configuration needs, its name, and the card as a line."""
    cards = list(dict.fromkeys(one.card_gib for one in budgets))
    allowances = list(dict.fromkeys(one.allowed for one in budgets))
    figure, axes = plain_axes(height=1.8 + 0.3 * len(cards) * len(allowances))
    height = BAND / len(allowances)
    for index, allowed in enumerate(allowances):
        chosen = [one for one in budgets if one.allowed == allowed]
        rows = np.array([cards.index(one.card_gib) for one in chosen]) - BAND / 2 + (index + 0.5) * height
        _bars(axes, rows, chosen, height, PALETTE[index], allowance(allowed))
    sizes = [card * GIB / GB for card in cards]
    for row, size in enumerate(sizes):
        axes.vlines(size, row - BAND / 2, row + BAND / 2, color="black", linewidth=1.2)
    axes.set_yticks(np.arange(len(cards)), [f"{card} GiB" for card in cards])
    axes.invert_yaxis()
    axes.set_xlim(0, 1.6 * max(sizes))
    axes.set_xlabel(
        "memory that a step needs, allowances included, in GB (1e9 bytes); black: the card; "
        "after the name: operations over plain",
        fontsize=8,
    )
    axes.set_title(f"{true_size(study)}, predicted", fontsize=9)
    axes.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=len(allowances))
    return figure


def _bars(
    axes: Axes, rows: np.ndarray, chosen: Sequence[Budget], height: float, colour: str, label: str
) -> None:
    """Where nothing fits the bar is grey and says so."""
    needs = [one.smallest_card_bytes / GB for one in chosen]
    colours = [colour if one.fits else GREYS[2] for one in chosen]
    axes.barh(rows, needs, height=0.9 * height, color=colours)
    # a bar of its own for the legend: the first one may be grey
    axes.barh([rows[0]], [0], color=colour, label=label)
    for one, row, need in zip(chosen, rows, needs, strict=True):
        axes.annotate(
            _label(one),
            (max(need, one.card_gib * GIB / GB), row),
            (4, 0),
            textcoords="offset points",
            va="center",
            fontsize=7,
        )


def _label(budget: Budget) -> str:
    if not budget.fits:
        return f"nothing fits; leanest: {budget.rung}"
    return f"{budget.rung}, x {budget.flops / budget.plain_flops:.2f}"
