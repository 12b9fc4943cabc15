"""The walk along the ladder, with made-up predictions."""

from collections.abc import Callable
from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up import COSTS, MadeUp, every_rung, question_of

from cotracker_pipeline.config import ModelSize
from cotracker_pipeline.planning.ladder import ALLOWANCES, ladders
from cotracker_pipeline.planning.search import Plan, Question, least_allowance, search

SIZES = st.integers(1, 50)
WAYS = ("published", "fast", "fast-encoder", "fast-hidden", "moderate", "balanced", "lean", "minimal")


def looked_up(*sizes: int) -> Callable[[str], int]:
    """Needs of the ways of computing, with the recipe kept."""
    return dict(zip(WAYS, sizes, strict=True)).__getitem__


def chosen_name(plan: Plan) -> str | None:
    return plan.chosen.rung.name if plan.chosen else None


@pytest.mark.parametrize(
    ("card", "rung", "asked"),
    [
        (90, "fast", WAYS[:2]),
        (79, "fast-encoder", WAYS[:3]),
        (69, "fast-hidden", WAYS[:4]),
        (29, "balanced", WAYS[:6]),
        (19, "lean", WAYS[:7]),
        (9, "minimal", WAYS),
        (4, None, WAYS),
    ],
)
def test_the_fastest_that_fits_is_chosen_and_no_leaner_one_asked(card: int, rung: str, asked: tuple) -> None:
    predict = MadeUp(looked_up(90, 80, 70, 60, 30, 20, 10, 5))
    assert chosen_name(search(question_of(), card, predict)) == rung
    assert predict.asked == list(asked)


def test_cotracker3_is_not_asked_to_do_without_a_track_mask() -> None:
    question = question_of(ALLOWANCES)
    online = question._replace(model=ModelSize(architecture="cotracker3-online"))
    predict = MadeUp(lambda _: 10)
    search(question, 1, predict)
    asked, predict.asked = predict.asked, []
    search(online, 1, predict)
    assert any("no track mask" in name for name in asked)
    assert predict.asked
    assert not any("no track mask" in name for name in predict.asked)
    assert "no-track-mask" not in (least_allowance(online._replace(allowed=frozenset()), 10, predict) or [])


def test_of_a_tier_the_one_of_fewest_operations_is_chosen() -> None:
    needs = looked_up(90, 80, 70, 60, 50, 40, 30, 20)
    assert chosen_name(search(question_of(), 90, MadeUp(needs))) == "fast"
    swapped = MadeUp(needs, COSTS | {"published": 80})
    assert chosen_name(search(question_of(), 90, swapped)) == "published"


@pytest.mark.parametrize(
    ("card", "rung"),
    [
        (60, "fast"),
        (59, "bf16, fast"),
        (40, "bf16, fast-encoder"),
        (30, "fast-hidden"),
        (19, "bf16, fast-hidden"),
    ],
)
def test_bf16_is_taken_only_where_it_spares_operations(needs: dict, card: int, rung: str) -> None:
    needs |= {"fast": 60, "fast-encoder": 55, "fast-hidden": 20, "lean": 18}
    needs |= {"bf16, fast": 50, "bf16, fast-encoder": 39, "bf16, fast-hidden": 19}
    assert chosen_name(search(question_of(["bf16"]), card, MadeUp(needs.__getitem__))) == rung


def test_where_nothing_fits_the_leanest_is_known(needs: dict[str, int]) -> None:
    plan = search(question_of(), 10, MadeUp(needs.__getitem__))
    assert plan.chosen is None
    assert plan.leanest.rung.name == "minimal"


def test_the_recipe_is_kept_as_long_as_something_fits(needs: dict[str, int]) -> None:
    needs |= {"384 tracks, fast": 1, "384 tracks, minimal": 1, "minimal": 50}
    predict = MadeUp(needs.__getitem__)
    assert chosen_name(search(question_of(["tracks"]), 50, predict)) == "minimal"
    assert chosen_name(search(question_of(["tracks"]), 49, predict)) == "384 tracks, fast"


def test_a_recipe_is_given_up_by_its_ends(needs: dict[str, int]) -> None:
    predict = MadeUp(needs.__getitem__)
    plan = search(question_of(["tracks"]), needs["144 tracks, minimal"], predict)
    assert chosen_name(plan) == "144 tracks, minimal"
    assert predict.asked[:4] == ["published", "fast", "minimal", "384 tracks, published"]
    assert len(predict.asked) == 4 * 3 + 8


@st.composite
def made_up(draw: st.DrawFn) -> tuple[Question, MadeUp]:
    """Any needs; only the last tier of each recipe is the leanest, as the ladder promises."""
    question = question_of(draw(st.sets(st.sampled_from(ALLOWANCES))))
    needs: dict[str, int] = {}
    for tiers in ladders(question.recipe, question.strategy, question.allowed):
        rungs = [rung.name for tier in tiers for equals in tier for rung in equals]
        sizes = draw(st.lists(SIZES, min_size=len(rungs), max_size=len(rungs)))
        needs |= dict(zip(rungs, sizes, strict=True))
        needs |= {rung.name: min(sizes) for equals in tiers[-1] for rung in equals}
    steps = draw(st.lists(SIZES, min_size=len(WAYS), max_size=len(WAYS)))
    return question, MadeUp(needs.__getitem__, dict(zip(WAYS, accumulate(steps), strict=True)))


@given(made_up(), SIZES)
def test_what_is_chosen_fits_and_nothing_better_does(case: tuple[Question, MadeUp], card: int) -> None:
    question, predict = case
    plan = search(question, card, predict)
    fitting = [rung for rung in every_rung(question) if predict.need(rung.name) <= card]
    if plan.chosen is None:
        assert not fitting
        return
    rung = plan.chosen.rung
    assert rung in fitting
    assert rung.recipe == fitting[0].recipe
    with_this_recipe = [other for other in fitting if other.recipe == rung.recipe]
    assert predict.flops(*rung[1:]) == min(predict.flops(*other[1:]) for other in with_this_recipe)


@given(made_up())
def test_a_larger_card_never_gives_a_slower_rung(case: tuple[Question, MadeUp]) -> None:
    question, predict = case
    found = [search(question, card, predict).chosen for card in range(1, 51)]
    recipes = list(dict.fromkeys(rung.recipe for rung in every_rung(question)))
    # how far the recipe was changed, then the operations; where nothing fits, further than anything
    paces = [
        (recipes.index(one.rung.recipe), one.prediction.flops) if one else (len(recipes), 0) for one in found
    ]
    assert all(larger <= smaller for smaller, larger in pairwise(paces))


@given(made_up(), SIZES)
def test_nothing_is_asked_twice_or_in_vain(case: tuple[Question, MadeUp], card: int) -> None:
    question, predict = case
    plan = search(question, card, predict)
    assert sorted(predict.asked) == sorted(one.rung.name for one in plan.tried)
    if plan.plain.fits:
        assert predict.asked == ["published", "fast"] or "bf16, fast" in predict.asked


@pytest.mark.parametrize(
    ("needed", "allowed", "more"),
    [
        ("bf16", [], ["bf16"]),
        ("144 tracks", [], ["tracks"]),
        ("144 tracks, bf16", [], ["bf16", "tracks"]),
        ("144 tracks, bf16", ["bf16"], ["tracks"]),
        ("radius 2", ["tracks"], ["radius"]),
        ("0 tracks,", [], None),
        ("0 tracks,", ALLOWANCES, None),
    ],
)
def test_the_least_that_must_be_allowed(needed: str, allowed: list[str], more: list[str] | None) -> None:
    predict = MadeUp(lambda name: 1 if all(word in name for word in needed.split(", ")) else 9)
    assert least_allowance(question_of(allowed), 5, predict) == more
