"""One ablation: memory and accuracy of its members and the baseline, each block under its own scale."""

from collections.abc import Mapping

import pandas as pd

from cotracker_pipeline.analysis import accuracy_table, memory_table
from cotracker_pipeline.analysis.evidence import Prediction
from cotracker_pipeline.analysis.tables import Table
from cotracker_pipeline.config import Study


def ablation_table(
    study: Study,
    name: str,
    predictions: Mapping[str, Prediction],
    accuracy: pd.DataFrame,
    floors: pd.DataFrame,
) -> Table:
    """Join both measurements. The inputs hold the members and the baseline only."""
    summaries = accuracy_table.accuracy_summaries(accuracy, floors)
    data = [
        memory_table.memory_measurements(study, predictions),
        accuracy_table.accuracy_measurements(study, summaries),
    ]
    sections = [
        memory_table.memory_section(study, predictions),
        *accuracy_table.accuracy_sections(study, accuracy, summaries),
    ]
    return Table(
        f"Ablation {name}: memory at the true size, accuracy at the trained scale",
        pd.concat([frame for frame in data if not frame.empty], ignore_index=True),
        sections,
        [memory_table.NOTE, accuracy_table.NOTE],
    )
