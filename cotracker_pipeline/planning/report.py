"""A plan as JSON; bytes throughout."""

from typing import Any

from cotracker_pipeline.planning.batch import LargestBatch
from cotracker_pipeline.planning.search import Plan, Tried


def plan_report(plan: Plan, batch: LargestBatch | None) -> dict[str, Any]:
    """All that was tried and what was chosen."""
    question = plan.question
    return {
        "card_bytes": plan.card_bytes,
        "allowed": sorted(question.allowed),
        "clip": question.clip.model_dump(mode="json"),
        "model": question.model.model_dump(mode="json"),
        "tried": [rung_report(one) for one in plan.tried],
        "chosen": rung_report(plan.chosen) if plan.chosen else None,
        "largest_batch": _batch_report(batch) if batch else None,
    }


def rung_report(tried: Tried) -> dict[str, Any]:
    """A rung and what it takes."""
    rung, prediction, fits = tried
    return {
        "rung": rung.name,
        "fits": fits,
        "smallest_card_bytes": prediction.smallest_card_bytes,
        "allowance_bytes": prediction.allowance_bytes,
        "peak_allocated_bytes": prediction.peak_allocated_bytes,
        "peak_reserved_bytes": prediction.peak_reserved_bytes,
        "flops": prediction.flops,
        "recipe": rung.recipe.model_dump(mode="json"),
        "strategy": rung.strategy.model_dump(mode="json"),
    }


def _batch_report(batch: LargestBatch) -> dict[str, Any]:
    return {
        "batch_size": batch.size,
        "smallest_card_bytes": batch.prediction.smallest_card_bytes,
        "peak_allocated_bytes": batch.prediction.peak_allocated_bytes,
        "flops": batch.prediction.flops,
        "smallest_card_bytes_of_one_more": batch.one_more.smallest_card_bytes,
    }
