"""Which strategies ``auto`` stands for."""

import pytest
from made_up import COSTS, MadeUp, question_of, way_of

from cotracker_pipeline.config import Card, Memory, Recipe, Strategy, Variant
from cotracker_pipeline.errors import UserError
from cotracker_pipeline.planning import predictor
from cotracker_pipeline.planning.auto import resolve, rungs_from
from cotracker_pipeline.units import GIB
from cotracker_pipeline.wording import rung_name

NEEDS = dict(zip(COSTS, (80, 70, 60, 50, 40, 30, 20, 10), strict=True))
PREDICT = MadeUp(lambda name: NEEDS[way_of(name)] * GIB)
RUNGS = list(COSTS)


@pytest.mark.parametrize(
    ("card", "first"), [(90, "fast"), (70, "fast"), (69, "fast-encoder"), (25, "lean"), (5, "minimal")]
)
def test_from_the_fastest_that_fits_to_the_leanest(card: int, first: str) -> None:
    found = rungs_from(question_of(), card * GIB, PREDICT)
    assert [rung_name(strategy) for strategy in found] == RUNGS[RUNGS.index(first) :]


def test_without_a_card_every_rung_fits() -> None:
    assert [rung_name(strategy) for strategy in rungs_from(question_of(), None, PREDICT)] == RUNGS[1:]


def test_the_precision_is_kept() -> None:
    question = question_of()._replace(strategy=Strategy(precision="bf16", auto=True))
    assert {strategy.precision for strategy in rungs_from(question, None, PREDICT)} == {"bf16"}
    assert not any(strategy.auto for strategy in rungs_from(question, None, PREDICT))


def test_compilation_is_kept() -> None:
    question = question_of()._replace(strategy=Strategy(compile=True, auto=True))
    assert all(strategy.compile for strategy in rungs_from(question, None, PREDICT))


def test_a_variant_is_resolved_for_the_card_of_the_study(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predictor, "predict_peak_memory", lambda *case: PREDICT(*case[:4]))
    chosen = Variant("mine", Recipe(), Strategy(auto=True))
    resolved = resolve(chosen, Memory(card=Card(memory_gib=24)), None)
    assert (resolved.name, rung_name(resolved.strategy)) == ("mine", "lean")
    assert rung_name(resolve(chosen, Memory(), 45 * GIB).strategy) == "moderate"
    fixed = Variant("other", Recipe(), Strategy())
    assert resolve(fixed, Memory(), None) is fixed
    with pytest.raises(UserError, match=r"'mine': strategy auto depends on the card; add memory\.card"):
        resolve(chosen, Memory(), None)
