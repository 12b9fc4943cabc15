"""The answer in words, and the lines to paste."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from made_up import MadeUp, every_rung, question_of

from cotracker_pipeline.config import Card, Clip, ModelSize, Recipe, Strategy, parse_study
from cotracker_pipeline.planning.answer import Own, answer, refusal
from cotracker_pipeline.planning.batch import largest_batch
from cotracker_pipeline.planning.ladder import ALLOWANCES
from cotracker_pipeline.planning.search import Plan, Question, search
from cotracker_pipeline.planning.variant import variant_lines

PUBLISHED = Own(Recipe(), Strategy(), Clip())
NO_DATA = {"files": ["a.h5"]}


def planned(question: Question, card: int, needs: dict[str, int]) -> Plan:
    return search(question, card, MadeUp(needs.__getitem__))


def test_an_answer_says_what_fits_at_which_cost_and_what_to_paste(needs: dict[str, int]) -> None:
    needs |= {"published": 70 * 10**9, "fast": 60 * 10**9, "fast-encoder": 20 * 10**9}
    text = answer(planned(question_of(), 24 * 2**30, needs), PUBLISHED)
    assert text.splitlines() == [
        "Card: 24 GiB = 25.77 GB (GB = 1e9 bytes), of which context and libraries take 0.00 GB",
        "Step: 768 tracks, radius 3, batch size 1, 24 frames of 384x512, published model",
        "Recipe: kept",
        "",
        "rung          needs GB  peak GB  x plain  fits",
        "published        70.00    70.00     1.00  no",
        "fast             60.00    60.00     0.90  no",
        "fast-encoder     20.00    20.00     1.01  chosen",
        "",
        "Chosen: peak 20.00 GB allocated, 7.757e-08 TFLOP a step, 1.01 times as many as plain",
        "",
        "Paste below variants:",
        "  plan-24gb:",
        "    strategy: fast-encoder",
    ]


def test_an_answer_for_expandable_segments_says_how_to_get_them(needs: dict[str, int]) -> None:
    question = question_of()._replace(card=Card(expandable_segments=True))
    needs |= dict.fromkeys(needs, 10**9)
    last = answer(planned(question, 24 * 2**30, needs), PUBLISHED).splitlines()[-1]
    assert last == "and train with PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True in the environment"


def test_the_longest_answer_fits_on_a_screen(needs: dict[str, int]) -> None:
    expandable = Card(expandable_segments=True)
    question = question_of(ALLOWANCES)._replace(clip=Clip(batch_size=1, frames=23), card=expandable)
    last = every_rung(question)[-1]
    needs |= dict.fromkeys(needs, 9000 * 10**9) | {last.name: 10**9}
    predict = MadeUp(needs.__getitem__)
    plan = search(question, 2**30, predict)
    assert plan.chosen is not None
    assert plan.chosen.rung == last
    text = answer(plan, PUBLISHED, largest_batch(question, last, 2**30, predict))
    lines = text.splitlines()
    assert len(lines) <= 25
    assert max(map(len, lines)) <= 100
    assert f"({len(plan.tried) - 8} before these: 0 fit)" in lines
    assert "Largest batch on this rung: 1, which needs 1.00 GB; 2 would need 2.00 GB" in lines
    assert "  clip: {batch_size: 1, frames: 23, height: 384, width: 512}" in lines


def test_a_refusal_is_a_sentence_that_names_the_mend(needs: dict[str, int]) -> None:
    plan = planned(question_of(["bf16"]), 10, needs | {"bf16, lean": 11 * 10**9})
    leanest = plan.leanest.rung.name
    start = f"nothing fits on {10 / 2**30:.4g} GiB = 0.00 GB: the leanest rung ({leanest}) needs "
    assert refusal(plan, ["tracks"]).startswith(start)
    assert refusal(plan, ["tracks"]).endswith(" GB; it would fit with --allow bf16 tracks")
    assert refusal(plan, None).endswith("choose a larger card, a smaller clip or fewer tracks")


RECIPES = st.builds(
    Recipe, tracks=st.integers(1, 900), corr_radius=st.integers(1, 4), use_track_mask=st.booleans()
)
STRATEGIES = st.builds(
    Strategy,
    precision=st.sampled_from(["fp32", "bf16"]),
    checkpoint=st.sampled_from([(), ("encoder",), ("encoder", "transformer")]),
)


@given(RECIPES, STRATEGIES, st.data())
def test_the_lines_to_paste_resolve_to_what_was_planned(
    own_recipe: Recipe, own_strategy: Strategy, data: st.DataObject
) -> None:
    question = Question(own_recipe, own_strategy, Clip(), ModelSize(), frozenset(ALLOWANCES))
    rung = data.draw(st.sampled_from(every_rung(question)))
    lines = variant_lines("plan-24gb", rung[1:], (own_recipe, own_strategy))
    written = {
        "study": "pasted",
        "data": {"train": NO_DATA, "eval": NO_DATA},
        "recipe": own_recipe.model_dump(mode="json"),
        "strategy": own_strategy.model_dump(mode="json"),
    }
    text = "\n".join([yaml.safe_dump(written), "variants:", "  baseline: {}", *lines])
    study = parse_study(yaml.safe_load(text), "pasted")
    assert study.variant("plan-24gb")[1:] == rung[1:]


@pytest.mark.parametrize("changed", [Recipe(), Recipe(tracks=9)])
def test_only_what_differs_is_written(changed: Recipe) -> None:
    lines = variant_lines("mine", (changed, Strategy()), (Recipe(), Strategy()))
    expected = ["  mine: {}"] if changed == Recipe() else ["  mine:", "    recipe: {tracks: 9}"]
    assert lines == expected
