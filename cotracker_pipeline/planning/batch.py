"""How large a batch a card can take."""

from collections.abc import Callable
from typing import NamedTuple

from cotracker_pipeline.memory import Prediction
from cotracker_pipeline.planning.ladder import Rung
from cotracker_pipeline.planning.search import Predictor, Question


class LargestBatch(NamedTuple):
    """The largest batch that fits, what it takes, and what one sample more would take."""

    size: int
    prediction: Prediction
    one_more: Prediction


def largest_batch(question: Question, rung: Rung, card_bytes: int, predict: Predictor) -> LargestBatch:
    """Of the clips of ``question``, computed on a ``rung`` on which one of them fits the card."""

    def predicted(size: int) -> Prediction:
        clip = question.clip.model_copy(update={"batch_size": size})
        return predict(rung.recipe, rung.strategy, clip, question.model)

    size = largest(lambda size: predicted(size).smallest_card_bytes <= card_bytes)
    return LargestBatch(size, predicted(size), predicted(size + 1))


def largest(fits: Callable[[int], bool]) -> int:
    """The largest number that ``fits``, where 1 does, some larger one does not, and then none above it."""
    low, high = 1, 2
    while fits(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if fits(middle):
            low = middle
        else:
            high = middle
    return low
