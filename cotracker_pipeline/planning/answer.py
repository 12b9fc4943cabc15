"""The answer in words: no more than a screen of 24 lines of 100 characters."""

from typing import NamedTuple

from cotracker_pipeline.config import Clip, ModelSize, Recipe, Strategy
from cotracker_pipeline.planning.batch import LargestBatch
from cotracker_pipeline.planning.card import card_name
from cotracker_pipeline.planning.search import Plan, Tried
from cotracker_pipeline.planning.variant import clip_line, variant_lines
from cotracker_pipeline.units import GB, GIB

#: Rows of the table; a search that tried more shows the last ones and counts the others.
ROWS = 8
#: Characters of the longest name in the table.
NAME = 60

#: The setting of PyTorch's allocator that ``Card.expandable_segments`` stands for.
EXPANDABLE = "PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True"


class Own(NamedTuple):
    """What the study says itself, which the lines to paste are relative to."""

    recipe: Recipe
    strategy: Strategy
    clip: Clip


def answer(plan: Plan, own: Own, batch: LargestBatch | None = None) -> str:
    """What was asked, what was tried, what is chosen, and the lines to paste."""
    blocks = [_question(plan), _table(plan)]
    if plan.chosen is not None:
        blocks += [_choice(plan, plan.chosen, batch), _paste(plan, plan.chosen, own, batch)]
    return "\n\n".join("\n".join(block) for block in blocks)


def refusal(plan: Plan, more: list[str] | None) -> str:
    """One sentence for a plan in which nothing fits; ``more`` is what could be allowed besides."""
    name, need = plan.leanest.rung.name, plan.leanest.prediction.smallest_card_bytes
    said = f"nothing fits on {card_name(plan.card_bytes)}: the leanest rung ({name}) needs {need / GB:.2f} GB"
    if more:
        return f"{said}; it would fit with --allow {' '.join(sorted(plan.question.allowed | set(more)))}"
    return f"{said}, whatever is allowed; choose a larger card, a smaller clip or fewer tracks"


def _question(plan: Plan) -> list[str]:
    recipe, clip, allowed = plan.question.recipe, plan.question.clip, plan.question.allowed
    beside = plan.plain.prediction.allowance_bytes
    model = "published model" if plan.question.model == ModelSize() else "the study's model"
    return [
        f"Card: {card_name(plan.card_bytes)} (GB = 1e9 bytes), of which context and libraries "
        f"take {beside / GB:.2f} GB",
        f"Step: {recipe.tracks} tracks, radius {recipe.corr_radius}, batch size {clip.batch_size}, "
        f"{clip.frames} frames of {clip.height}x{clip.width}, {model}",
        f"Recipe: {'may be changed by ' + ', '.join(sorted(allowed)) if allowed else 'kept'}",
    ]


def _table(plan: Plan) -> list[str]:
    shown = plan.tried[-ROWS:]
    width = max(len(_shortened(one.rung.name)) for one in shown)
    lines = [f"{'rung':{width}}  needs GB  peak GB  x plain  fits"]
    if hidden := len(plan.tried) - len(shown):
        lines.append(f"({hidden} before these: {sum(one.fits for one in plan.tried[:-ROWS])} fit)")
    return lines + [_row(one, plan, width) for one in shown]


def _shortened(name: str) -> str:
    """The end of a long name: what comes before is the same in most rows."""
    return name if len(name) <= NAME else "…" + name[1 - NAME :]


def _row(one: Tried, plan: Plan, width: int) -> str:
    prediction = one.prediction
    return (
        f"{_shortened(one.rung.name):{width}}  {prediction.smallest_card_bytes / GB:8.2f}"
        f"  {prediction.peak_allocated_bytes / GB:7.2f}  {_relative(one, plan):7.2f}"
        f"  {'chosen' if one is plan.chosen else 'yes' if one.fits else 'no'}"
    )


def _choice(plan: Plan, chosen: Tried, batch: LargestBatch | None) -> list[str]:
    prediction = chosen.prediction
    lines = [
        f"Chosen: peak {prediction.peak_allocated_bytes / GB:.2f} GB allocated, "
        f"{prediction.flops / 1e12:.4g} TFLOP a step, {_relative(chosen, plan):.2f} times as many as plain"
    ]
    if batch:
        lines.append(
            f"Largest batch on this rung: {batch.size}, which needs "
            f"{batch.prediction.smallest_card_bytes / GB:.2f} GB; {batch.size + 1} would need "
            f"{batch.one_more.smallest_card_bytes / GB:.2f} GB"
        )
    return lines


def _relative(one: Tried, plan: Plan) -> float:
    return one.prediction.flops / plan.plain.prediction.flops


def _paste(plan: Plan, chosen: Tried, own: Own, batch: LargestBatch | None) -> list[str]:
    clip = plan.question.clip.model_copy(update={"batch_size": batch.size} if batch else {})
    name = f"plan-{plan.card_bytes / GIB:.4g}gb"
    lines = variant_lines(name, chosen.rung[1:], own[:2])
    if line := clip_line(clip, own.clip):
        lines += ["and into memory (and training, to train so):", f"  {line}"]
    if plan.question.card.expandable_segments:
        lines.append(f"and train with {EXPANDABLE} in the environment")
    return ["Paste below variants:", *lines]
