"""What fits on the cards that there are."""

from collections.abc import Iterable, Iterator
from typing import Any

from cotracker_pipeline.planning.ladder import ALLOWANCES
from cotracker_pipeline.planning.report import rung_report
from cotracker_pipeline.planning.search import Plan, Predictor, Question, search
from cotracker_pipeline.units import GIB

#: GiB.
CARDS = (80, 48, 40, 24, 16, 12, 8, 6)


def budgets(question: Question, cards_gib: Iterable[int], predict: Predictor) -> Iterator[dict[str, Any]]:
    """For every card: the fastest rung with the recipe kept, then with everything allowed.

    Where nothing fits it is the leanest rung that was tried, which ``fits`` says not to.
    """
    for card in cards_gib:
        for allowed in ((), ALLOWANCES):
            plan = search(question._replace(allowed=frozenset(allowed)), card * GIB, predict)
            yield {"card_gib": card, "allowed": list(allowed), **_answer(plan)}


def _answer(plan: Plan) -> dict[str, Any]:
    return rung_report(plan.chosen or plan.leanest) | {"plain_flops": plan.plain.prediction.flops}
