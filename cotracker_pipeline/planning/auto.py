"""What ``strategy: auto`` stands for: the fastest rung that fits a card, and the leaner ones behind it."""

from collections.abc import Iterator

from cotracker_pipeline.config import Memory, Strategy, Variant
from cotracker_pipeline.errors import UserError
from cotracker_pipeline.planning.ladder import Rung, ladders
from cotracker_pipeline.planning.predictor import predicting
from cotracker_pipeline.planning.search import Predictor, Question
from cotracker_pipeline.units import GIB


def rungs_from(question: Question, card_bytes: int | None, predict: Predictor) -> list[Strategy]:
    """The strategies to train by, one after the other as memory runs out.

    Args:
        question: what is trained; its recipe is kept, and of its strategy what no rung names.
        card_bytes: memory of the card; without a card every rung is taken to fit.
        predict: what a rung needs.

    Returns:
        From the first rung that is predicted to fit to the leanest; the leanest alone if none is. The rung of
        the published computation is left out: one beside it is faster and leaner.
    """
    rungs = list(_rungs(question))
    if card_bytes is None:
        return [rung.strategy for rung in rungs]
    for place, rung in enumerate(rungs):
        prediction = predict(rung.recipe, rung.strategy, question.clip, question.model)
        if prediction.smallest_card_bytes <= card_bytes:
            return [leaner.strategy for leaner in rungs[place:]]
    return [rungs[-1].strategy]


def _rungs(question: Question) -> Iterator[Rung]:
    tiers, *_ = ladders(question.recipe, question.strategy, ())
    for tier in tiers:
        yield tier[-1][0]


def resolve(variant: Variant, memory: Memory, card_bytes: int | None) -> Variant:
    """The variant with its first rung as strategy, if that is to be chosen.

    Args:
        variant: any.
        memory: the size at which it is predicted or measured.
        card_bytes: memory of the card that it is chosen for; by default ``memory.card.memory_gib``.

    Raises:
        UserError: when there is no card to choose for.
    """
    if not variant.strategy.auto:
        return variant
    if card_bytes is None and memory.card.memory_gib is None:
        raise UserError(
            f"variant '{variant.name}': strategy auto depends on the card; add memory.card.memory_gib"
        )
    size = card_bytes or round((memory.card.memory_gib or 0) * GIB)
    question = Question(variant.recipe, variant.strategy, memory.clip, memory.model, card=memory.card)
    with predicting(memory.card) as predict:
        return variant._replace(strategy=rungs_from(question, size, predict)[0])
