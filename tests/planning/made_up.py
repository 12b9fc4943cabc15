"""Predictions that are made up, so that a walk takes no time."""

from collections.abc import Callable, Iterable, Mapping
from itertools import combinations

from cotracker_pipeline.config import Clip, ModelSize, Recipe, Strategy
from cotracker_pipeline.memory import Prediction
from cotracker_pipeline.memory.ledger import Peak
from cotracker_pipeline.memory.timeline import Timeline
from cotracker_pipeline.planning.ladder import ALLOWANCES, Rung, ladders
from cotracker_pipeline.planning.search import Question


def question_of(allowed: Iterable[str] = ()) -> Question:
    return Question(Recipe(), Strategy(), Clip(), ModelSize(), frozenset(allowed))


def every_rung(question: Question) -> list[Rung]:
    """The whole ladder of a question, from the first rung to the last."""
    recipes = ladders(question.recipe, question.strategy, question.allowed)
    return [rung for tiers in recipes for tier in tiers for equals in tier for rung in equals]


SUBSETS = [names for count in range(len(ALLOWANCES) + 1) for names in combinations(ALLOWANCES, count)]
NAMES = {rung[1:]: rung.name for names in SUBSETS for rung in every_rung(question_of(names))}


#: Operations of a way of computing, per track.
COSTS = {
    "published": 100,
    "fast": 90,
    "fast-encoder": 101,
    "fast-hidden": 103,
    "moderate": 112,
    "balanced": 116,
    "lean": 137,
    "minimal": 149,
}


def way_of(name: str) -> str:
    """The way of computing in the name of a rung."""
    return name.split(", ")[-1]


class MadeUp:
    """A predictor that is told what a rung needs, by its name, and notes what it was asked.

    Operations: ``costs`` per track. A batch needs its multiple.
    """

    def __init__(self, need: Callable[[str], int], costs: Mapping[str, int] = COSTS) -> None:
        self.need = need
        self.asked: list[str] = []
        self._costs = costs

    def flops(self, recipe: Recipe, strategy: Strategy) -> int:
        return recipe.tracks * self._costs[way_of(NAMES[recipe, strategy])]

    def __call__(self, recipe: Recipe, strategy: Strategy, clip: Clip, _: ModelSize) -> Prediction:
        name = NAMES[recipe, strategy]
        self.asked.append(name)
        need = self.need(name) * clip.batch_size
        peak = Peak(need, {"other": need}, "forward", "", "")
        timeline = Timeline((), {}, ())
        return Prediction(peak, need, need, need, 0, self.flops(recipe, strategy), timeline, ())
