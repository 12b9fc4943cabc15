"""The front page of the report: which configuration for which card, what it costs, and how sure that is."""

import html
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

import pandas as pd

from cotracker_pipeline.analysis import pages
from cotracker_pipeline.analysis.accuracy_table import Summary
from cotracker_pipeline.analysis.budgets_table import allowance
from cotracker_pipeline.analysis.colours import GREYS, PALETTE
from cotracker_pipeline.analysis.evidence import METRICS, Budget, Measurement, Prediction
from cotracker_pipeline.analysis.scales import trained_size, true_size
from cotracker_pipeline.config import Study
from cotracker_pipeline.rungs import RUNGS
from cotracker_pipeline.units import GB, GIB

#: What is written before a verdict, and its colour: neither tells it alone.
MARKS = {"holds": ("✔", PALETTE[2]), "does not hold": ("✘", PALETTE[5]), "not decided": ("?", GREYS[1])}


class Answers(NamedTuple):
    """What the front page is made of.

    Attributes:
        budgets: what fits on which card.
        predictions: by variant.
        measured: of the same variants; empty where no GPU was at hand.
        accuracy: of the variants, and the differences to the baseline.
        seeds: trainings behind each of them.
        verdicts: as ``claims.verdicts_frame``; None where the study has no claims.
    """

    budgets: Sequence[Budget]
    predictions: Mapping[str, Prediction]
    measured: Sequence[Measurement]
    accuracy: Sequence[Summary]
    seeds: int
    verdicts: pd.DataFrame | None


def front_page(study: Study, answers: Answers) -> str:
    """The page; it stands alone and inside the report."""
    body = [
        "<h1>Which configuration for my card?</h1>",
        _in_short(study, answers.budgets),
        *_cards(answers.budgets),
        "<h2>How sure is that?</h2>",
        _bullets(_certainty(study, answers)),
    ]
    if answers.verdicts is not None:
        body += ["<h2>The article's claims</h2>", _verdicts(answers.verdicts)]
    body += ["<h2>What each variant costs</h2>", *_costs(answers)]
    return pages.plain_page(f"Study {study.study}: which configuration for my card?", "\n".join(body))


def _in_short(study: Study, budgets: Sequence[Budget]) -> str:
    """The answer in a sentence."""
    kept = [one for one in budgets if not one.allowed]
    fitting = [one for one in kept if one.fits]
    if not fitting:
        return "<p>With the recipe kept, nothing fits any of these cards.</p>"
    smallest = min(fitting, key=lambda one: one.card_gib)
    return (
        f"<p><strong>A card of {smallest.card_gib} GB trains all {study.recipe.tracks} tracks</strong> with "
        f"<code>{html.escape(_named(smallest.rung))}</code>: {smallest.smallest_card_bytes / GB:.1f} GB, "
        f"{_cost(smallest)}. The larger the card, the less has to be computed twice:</p>"
    )


def _named(rung: str) -> str:
    return f"strategy: {rung}" if rung in RUNGS else rung


def _cards(budgets: Sequence[Budget]) -> Iterator[str]:
    """A row for each answer; of what may change, only the rows that say something else."""
    kept = {one.card_gib: one for one in budgets if not one.allowed}
    changed = [one for one in budgets if one.allowed and one.rung != kept[one.card_gib].rung]
    yield _card_table(list(kept.values()))
    if changed:
        allowed = allowance(changed[0].allowed)
        yield f"<p>{html.escape(allowed)} (rounding, or what is learned), faster or smaller:</p>"
        yield _card_table(changed)


def _card_table(budgets: Sequence[Budget]) -> str:
    """Neighbouring cards with one answer share a row."""
    rows = []
    for (rung, fits, need, cost), group in groupby(budgets, key=_answer):
        sizes = [one.card_gib for one in group]
        spare = min(sizes) * GIB / GB
        rows.append(
            {
                "card": ", ".join(f"{size} GB" for size in sizes),
                "configuration": rung if fits else f"nothing fits; leanest: {rung}",
                "needs": f"{need:.1f} of {spare:.1f} GB",
                "computing": cost,
            }
        )
    return pages.table(pd.DataFrame(rows))


def _answer(budget: Budget) -> tuple[str, bool, float, str]:
    return budget.rung, budget.fits, budget.smallest_card_bytes / GB, _cost(budget)


def _cost(budget: Budget) -> str:
    return f"{budget.flops / budget.plain_flops:.2f} times the operations"


def _costs(answers: Answers) -> Iterator[str]:
    """Each variant in a row: memory, operations, accuracy."""
    differences = {one.subject: one.measures for one in answers.accuracy if one.query_mode == "first"}
    baseline = answers.predictions.get("baseline")
    rows = []
    for name, prediction in answers.predictions.items():
        metric = differences.get(name, {}).get("average_jaccard_difference")
        rows.append(
            {
                "variant": name,
                "peak GB": f"{prediction.peak_allocated_bytes / GB:.1f}",
                "smallest card GB": f"{prediction.smallest_card_bytes / GB:.1f}",
                "operations": f"{prediction.flops / baseline.flops:.2f}" if baseline else "",
                f"{METRICS['average_jaccard']} against the baseline": ""
                if metric is None
                else f"{100 * metric.mean:+.1f} ± {100 * metric.half_width:.1f}",
            }
        )
    yield pages.table(pd.DataFrame(rows))
    yield (
        '<p class="quiet">Peak: allocated in one training step. Smallest card: with what context and '
        "libraries take. Operations: times those of the baseline. AJ: points, paired, ± half of the 95 % "
        "interval.</p>"
    )


def _certainty(study: Study, answers: Answers) -> Iterator[str]:
    found = [one for one in answers.measured if one.peak_allocated_bytes is not None]
    yield f"<strong>Memory</strong> at the {true_size(study)}: {_measured(found, answers.predictions)}."
    yield (
        "<strong>Strategies by name</strong> (fast, moderate, balanced, …) compute the published step in "
        "another way: outputs, losses and gradients are the same to rounding, so accuracy is too."
    )
    widths = [
        interval.half_width
        for one in answers.accuracy
        for measure, interval in one.measures.items()
        if measure == "average_jaccard_difference"
    ]
    resolved = f"; differences below {100 * max(widths):.1f} points are within the noise" if widths else ""
    yield (
        f"<strong>Accuracy</strong> at {trained_size(study)}, from {answers.seeds} "
        f"seed{'s' if answers.seeds > 1 else ''}{resolved}."
    )


def _measured(found: Sequence[Measurement], predictions: Mapping[str, Prediction]) -> str:
    if not found:
        return (
            "predicted without a GPU, not measured in this study; what an H100 measured of these predictions "
            "is in <code>results/reference</code>"
        )
    worst = max(
        abs(one.peak_allocated_bytes / predictions[one.variant].peak_blocks_bytes - 1)
        for one in found
        if one.peak_allocated_bytes is not None
    )
    return f"predicted, and measured on {html.escape(found[0].device)} within {100 * worst:.1f} %"


def _verdicts(verdicts: pd.DataFrame) -> str:
    claims = verdicts.drop_duplicates("claim").sort_values(
        "verdict", key=lambda column: column.map(list(MARKS).index), kind="stable"
    )
    counts = claims["verdict"].value_counts()
    summary = ", ".join(f"{status} {counts[status]}" for status in MARKS if status in counts)
    items = [
        f"<li>{_mark(str(verdict))} {html.escape(str(statement))}</li>"
        for statement, verdict in zip(claims["statement"], claims["verdict"], strict=True)
    ]
    head = f"<p>{summary}. The numbers, and what a decision would take, are under Verdicts.</p>"
    return "\n".join([head, '<ul style="list-style: none; padding: 0">', *items, "</ul>"])


def _mark(verdict: str) -> str:
    sign, colour = MARKS[verdict]
    return f'<strong style="color: {colour}">{sign} {verdict}:</strong>'


def _bullets(sentences: Iterator[str]) -> str:
    return "<ul>\n" + "\n".join(f"<li>{sentence}</li>" for sentence in sentences) + "\n</ul>"
