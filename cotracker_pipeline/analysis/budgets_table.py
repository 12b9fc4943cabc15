"""The table of budgets: for every card, the fastest configuration that fits."""

from collections.abc import Iterable, Iterator, Sequence

import pandas as pd

from cotracker_pipeline.analysis.evidence import Budget
from cotracker_pipeline.analysis.scales import true_size
from cotracker_pipeline.analysis.tables import Section, Table, measurements
from cotracker_pipeline.config import Study
from cotracker_pipeline.units import GB

NOTE = (
    "GB = 1e9 bytes, GiB = 2^30. Needs: the least memory of a card with which the step runs, an allowance "
    "for context and library workspaces included. x plain: operations of a step over those of the study's "
    "own recipe without any recomputation; a step with fewer tracks learns from fewer. Where nothing fits, "
    "the leanest configuration that was tried."
)


def budgets_table(study: Study, budgets: Sequence[Budget]) -> Table:
    """One block with the recipe kept, and one for whatever else was allowed."""
    allowances = dict.fromkeys(one.allowed for one in budgets)
    sections = [
        Section(
            f"{allowance(allowed)}, at the {true_size(study)}, predicted",
            pd.DataFrame([_row(one) for one in budgets if one.allowed == allowed]),
        )
        for allowed in allowances
    ]
    data = measurements(
        {
            "scale": f"{true_size(study)}, {allowance(one.allowed).lower()}",
            "subject": f"{one.card_gib} GiB: {one.rung}",
            "measure": measure,
            "unit": unit,
            "value": value,
        }
        for one in budgets
        for measure, unit, value in _measures(one)
    )
    return Table("What fits on which card", data, sections, [NOTE])


def allowance(allowed: Iterable[str]) -> str:
    """What may change, in words."""
    names = ", ".join(allowed)
    return f"Allowed to change: {names}" if names else "Recipe kept"


def _measures(budget: Budget) -> Iterator[tuple[str, str, float]]:
    yield "fits", "1", int(budget.fits)
    yield "smallest_card", "B", budget.smallest_card_bytes
    yield "peak_allocated", "B", budget.peak_allocated_bytes
    yield "flops", "FLOP", budget.flops


def _row(budget: Budget) -> dict[str, str]:
    return {
        "card": f"{budget.card_gib} GiB",
        "fits": "yes" if budget.fits else "nothing",
        "configuration": budget.rung,
        "needs GB": f"{budget.smallest_card_bytes / GB:.2f}",
        "peak GB": f"{budget.peak_allocated_bytes / GB:.2f}",
        "TFLOP": f"{budget.flops / 1e12:.2f}",
        "x plain": f"{budget.flops / budget.plain_flops:.2f}",
    }
