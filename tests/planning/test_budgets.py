"""What fits on the cards that there are."""

import json
import sys
from pathlib import Path

import pytest
from made_up import COSTS, MadeUp, question_of

from cotracker_pipeline import plan_budgets
from cotracker_pipeline.analysis.evidence import read_budgets
from cotracker_pipeline.planning import predictor
from cotracker_pipeline.planning.budgets import CARDS, budgets
from cotracker_pipeline.planning.ladder import ALLOWANCES
from cotracker_pipeline.units import GIB


@pytest.fixture
def predict(needs: dict[str, int]) -> MadeUp:
    """With the recipe kept nothing fits below 16 GiB; with everything allowed only 6 GiB are too few."""
    sizes = dict(zip(COSTS, (70, 60, 55, 50, 20, 18, 16, 14), strict=True))
    gib = {name: sizes.get(name, 45 if name == "bf16, fast" else 13) for name in needs}
    gib |= {name: 8 for name in needs if "144 tracks" in name}
    return MadeUp({name: size * GIB for name, size in gib.items()}.__getitem__)


def test_every_card_is_answered_twice(predict: MadeUp) -> None:
    answers = list(budgets(question_of(), CARDS, predict))
    assert [(one["card_gib"], one["allowed"]) for one in answers] == [
        (card, allowed) for card in CARDS for allowed in ([], list(ALLOWANCES))
    ]
    rungs = {(one["card_gib"], bool(one["allowed"])): (one["rung"], one["fits"]) for one in answers}
    assert rungs[80, False] == rungs[80, True] == ("fast", True)
    assert rungs[48, False] == ("moderate", True)
    assert rungs[48, True] == ("bf16, fast", True)
    assert rungs[16, False] == ("lean", True)
    assert rungs[12, False] == ("minimal", False)
    assert rungs[12, True] == rungs[8, True] == ("144 tracks, no track mask, fast", True)
    assert not rungs[6, True][1]


def test_the_step_predicts_each_case_once(
    predict: MadeUp, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    study, output = tmp_path / "study.yaml", tmp_path / "budgets.json"
    study.write_text(json.dumps(STUDY))
    monkeypatch.setattr(predictor, "predict_peak_memory", lambda *case: predict(*case[:4]))
    monkeypatch.setattr(sys, "argv", ["plan_budgets", "--config", str(study), "--output", str(output)])
    plan_budgets.main()
    assert len(predict.asked) == len(set(predict.asked))
    assert [one.card_gib for one in read_budgets(output)] == [card for card in CARDS for _ in range(2)]
    assert {one.plain_flops for one in read_budgets(output)} == {76800}


STUDY = {
    "study": "published",
    "data": {"train": {"files": ["a.h5"]}, "eval": {"files": ["b.h5"]}},
    "variants": {"baseline": {}},
}
