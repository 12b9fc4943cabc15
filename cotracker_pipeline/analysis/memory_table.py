"""The memory table: every variant at the true size."""

from collections.abc import Mapping

import pandas as pd

from cotracker_pipeline.analysis.evidence import Prediction
from cotracker_pipeline.analysis.scales import true_size
from cotracker_pipeline.analysis.tables import Section, Table, measurements
from cotracker_pipeline.config import Architecture, Recipe, Study, Variant
from cotracker_pipeline.units import GB
from cotracker_pipeline.wording import strategy_in_words

NOTE = (
    "GB = 1e9 bytes; a card sold as 24 GB has 24 GiB = 25.8 GB. Smallest card: the least memory with which "
    "the step runs, an allowance for context and library workspaces included. Saved: of the baseline's peak."
)

HOLDER_NOTE = (
    "Who holds the peak: bytes count where they were allocated. * stands for the indices of modules of one "
    "kind; a call, a recomputation included, counts when something of it is still there at the peak."
)


def memory_table(study: Study, predictions: Mapping[str, Prediction]) -> Table:
    """Peaks, reserved memory, operations and inference peak of every prediction."""
    data = memory_measurements(study, predictions)
    sections = [memory_section(study, predictions), explanation_section(study, predictions)]
    return Table("Memory of one training step", data, sections, [NOTE, HOLDER_NOTE])


def memory_measurements(study: Study, predictions: Mapping[str, Prediction]) -> pd.DataFrame:
    """Tidy: one row a variant and measure, the parts of the peak included."""
    scale = true_size(study)
    return measurements(
        {"scale": scale, "subject": name, "measure": measure, "unit": unit, "value": value}
        for name, prediction in predictions.items()
        for measure, unit, value in _measures(prediction)
    )


def memory_section(study: Study, predictions: Mapping[str, Prediction]) -> Section:
    """One row a variant; savings against the baseline where it is among the predictions."""
    baseline = predictions.get("baseline")
    architecture = study.memory.model.architecture
    rows = [_row(study.variant(name), architecture, one, baseline) for name, one in predictions.items()]
    return Section(f"Memory at the {true_size(study)}, predicted", pd.DataFrame(rows))


def explanation_section(study: Study, predictions: Mapping[str, Prediction]) -> Section:
    """One row a variant: its peak in words."""
    rows = [
        {"variant": name, "peak": one.explanation[0], "who holds it": " ".join(one.explanation[1:])}
        for name, one in predictions.items()
    ]
    return Section(f"The peaks at the {true_size(study)} in words", pd.DataFrame(rows))


def _measures(prediction: Prediction) -> list[tuple[str, str, float]]:
    parts = [(f"peak_{part}", "B", size) for part, size in prediction.breakdown.items()]
    inference = [
        (f"inference_peak_{peak.frames}_frames_{peak.tracks}_tracks", "B", peak.peak_allocated_bytes)
        for peak in prediction.inference
    ]
    return [
        ("peak_allocated", "B", prediction.peak_allocated_bytes),
        ("peak_reserved", "B", prediction.peak_reserved_bytes),
        ("smallest_card", "B", prediction.smallest_card_bytes),
        ("inference_peak_allocated", "B", prediction.inference_peak_allocated_bytes),
        ("flops", "FLOP", prediction.flops),
        *parts,
        *inference,
    ]


def _row(
    variant: Variant, architecture: Architecture, prediction: Prediction, baseline: Prediction | None
) -> dict[str, str]:
    recipe, strategy = variant.recipe, variant.strategy
    return {
        "variant": variant.name,
        "tracks": str(recipe.tracks),
        "radius": str(recipe.corr_radius),
        "precision": strategy.precision,
        "strategy": strategy_in_words(strategy),
        "masks": _masks(recipe, architecture),
        "peak GB": f"{prediction.peak_allocated_bytes / GB:.2f}",
        "saved %": _saved(prediction, baseline),
        "reserved GB": f"{prediction.peak_reserved_bytes / GB:.2f}",
        "smallest card GB": f"{prediction.smallest_card_bytes / GB:.2f}",
        "TFLOP": f"{prediction.flops / 1e12:.2f}",
        "inference peak GB": f"{prediction.inference_peak_allocated_bytes / GB:.2f}",
    }


def _masks(recipe: Recipe, architecture: Architecture) -> str:
    used = {
        "track": recipe.use_track_mask and architecture == "cotracker2",
        "attention": recipe.use_attention_mask and architecture != "cotracker3-offline",
    }
    return " + ".join(name for name in used if used[name]) or "none"


def _saved(prediction: Prediction, baseline: Prediction | None) -> str:
    if baseline is None:
        return ""
    return f"{100 * (1 - prediction.peak_allocated_bytes / baseline.peak_allocated_bytes):.1f}"
