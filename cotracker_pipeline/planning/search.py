"""The walk along the ladder: the fastest rung that a card can take, with as few predictions as that needs."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from cotracker_pipeline.config import Card, Clip, ModelSize, Recipe, Strategy
from cotracker_pipeline.memory import Prediction
from cotracker_pipeline.planning.ladder import ALLOWANCES, Rung, Tier, ladders

#: ``predict_peak_memory`` or what behaves like it.
Predictor = Callable[[Recipe, Strategy, Clip, ModelSize], Prediction]


class Question(NamedTuple):
    """What is to be trained, which of ``ALLOWANCES`` may change it, and what its card needs for itself."""

    recipe: Recipe
    strategy: Strategy
    clip: Clip
    model: ModelSize
    allowed: frozenset[str] = frozenset()
    card: Card = Card()

    @property
    def possible(self) -> tuple[str, ...]:
        """What of ``ALLOWANCES`` can be asked of the model: CoTracker3 has no track mask to do without."""
        if self.model.architecture == "cotracker2":
            return ALLOWANCES
        return tuple(name for name in ALLOWANCES if name != "no-track-mask")


class Tried(NamedTuple):
    """A rung and what it takes."""

    rung: Rung
    prediction: Prediction
    fits: bool


class Plan(NamedTuple):
    """What the search found.

    Attributes:
        question: as asked.
        card_bytes: memory of the card, context and libraries included.
        tried: what was predicted, in the order of the ladder; the first is the recipe as asked, computed
            plainly.
        chosen: the fastest that fits, of the first recipe with which something fits; None if nothing does.
    """

    question: Question
    card_bytes: int
    tried: tuple[Tried, ...]
    chosen: Tried | None

    @property
    def plain(self) -> Tried:
        """What costs are compared with."""
        return self.tried[0]

    @property
    def leanest(self) -> Tried:
        """The one of least need."""
        return min(self.tried, key=lambda one: one.prediction.smallest_card_bytes)


def search(question: Question, card_bytes: int, predict: Predictor) -> Plan:
    """The fastest rung that fits on a card of ``card_bytes``; the recipe is changed only where it must be.

    Raises:
        UserError: when the model cannot process such a clip.
    """
    walk = _Walk(question, card_bytes, predict)
    recipes = ladders(question.recipe, question.strategy, question.allowed & set(question.possible))
    chosen = walk.choose(recipes)
    rungs = (rung for tiers in recipes for tier in tiers for equals in tier for rung in equals)
    return Plan(question, card_bytes, tuple(walk.tried[one] for one in rungs if one in walk.tried), chosen)


def least_allowance(question: Question, card_bytes: int, predict: Predictor) -> list[str] | None:
    """The least risky of what else may be allowed with which something fits; None if nothing helps.

    Asks the leanest rung only. No name in the list can be left out.
    """

    def fits(more: Sequence[str]) -> bool:
        allowed = (question.allowed | set(more)) & set(question.possible)
        *_, tiers = ladders(question.recipe, question.strategy, allowed)
        rung = tiers[-1][-1][-1]
        prediction = predict(rung.recipe, rung.strategy, question.clip, question.model)
        return prediction.smallest_card_bytes <= card_bytes

    needed = [name for name in question.possible if name not in question.allowed]
    if not needed or not fits(needed):
        return None
    for name in reversed(question.possible):
        without = [other for other in needed if other != name]
        if len(without) < len(needed) and without and fits(without):
            needed = without
    return needed


class _Walk:
    def __init__(self, question: Question, card_bytes: int, predict: Predictor) -> None:
        self.tried: dict[Rung, Tried] = {}
        self._question = question
        self._card_bytes = card_bytes
        self._predict = predict

    def choose(self, recipes: Sequence[Sequence[Tier]]) -> Tried | None:
        for tiers in recipes:
            chosen = self._fastest(tiers[:1])
            # before the recipe is given up, its leanest rungs say whether the ones between are worth asking
            if chosen is None and (tiers is recipes[-1] or self._fastest(tiers[-1:])):
                chosen = self._fastest(tiers[1:])
            if chosen is not None:
                return chosen
        return None

    def _fastest(self, tiers: Sequence[Tier]) -> Tried | None:
        """Of the first tier with a rung that fits, the one of fewest operations."""
        for tier in tiers:
            fitting = [one for equals in tier if (one := self._first(equals)) is not None]
            if fitting:
                return min(fitting, key=lambda one: one.prediction.flops)
        return None

    def _first(self, equals: Sequence[Rung]) -> Tried | None:
        return next((one for rung in equals if (one := self._try(rung)).fits), None)

    def _try(self, rung: Rung) -> Tried:
        if rung not in self.tried:
            clip, model = self._question.clip, self._question.model
            prediction = self._predict(rung.recipe, rung.strategy, clip, model)
            fits = prediction.smallest_card_bytes <= self._card_bytes
            self.tried[rung] = Tried(rung, prediction, fits)
        return self.tried[rung]
