"""The verdicts as a table."""

from collections import Counter

import pandas as pd

from cotracker_pipeline.analysis.claims import Verdict, verdicts_frame
from cotracker_pipeline.analysis.outcomes import Limits
from cotracker_pipeline.analysis.scales import trained_size, true_size
from cotracker_pipeline.analysis.tables import Section, Table
from cotracker_pipeline.config import Study


def verdict_table(study: Study, verdicts: list[Verdict], limits: Limits) -> Table:
    """One row a claim to read, one row a criterion as data."""
    rows = [
        {
            "claim": claim.id,
            "statement": claim.statement,
            "verdict": verdict.status,
            "numbers": verdict.numbers,
            "a decision takes": verdict.takes,
        }
        for claim, verdict, _ in verdicts
    ]
    counts = Counter(verdict.verdict.status for verdict in verdicts)
    summary = ", ".join(f"{status} {count}" for status, count in counts.items())
    heading = f"Memory at the {true_size(study)}, predicted; accuracy at {trained_size(study)}"
    return Table(
        f"Verdicts on the article's claims: {summary}",
        verdicts_frame(verdicts),
        [Section(heading, pd.DataFrame(rows))],
        _notes(study, limits),
    )


def _notes(study: Study, limits: Limits) -> list[str]:
    losses = sorted({variant.recipe.loss for variant in study.resolved.values()})
    return [
        f"Loss used in training: {', '.join(losses)}.",
        f"Claims about accuracy or convergence are decided from {limits.seeds} seeds on.",
        "An interval in brackets is the 95 % bootstrap interval over videos and seeds, of losses over seeds, "
        "of times over rounds; of memory it is what predictions may be off by.",
    ]
