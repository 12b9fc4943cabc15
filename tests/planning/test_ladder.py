"""The ladder: what it contains, in which order, and that it keeps its promises."""

from itertools import pairwise

import pytest
from made_up import every_rung, question_of
from small_models import SMALL

from cotracker_pipeline.config import Clip, Recipe, Strategy
from cotracker_pipeline.memory import predict_peak_memory
from cotracker_pipeline.planning.ladder import ALLOWANCES, CONCESSIONS, ladders
from cotracker_pipeline.rungs import RUNGS


def names(allowed: tuple[str, ...] = (), precision: str = "fp32") -> list[str]:
    question = question_of(allowed)._replace(strategy=Strategy(precision=precision))
    return [rung.name for rung in every_rung(question)]


def test_without_allowance_only_the_way_of_computing_changes() -> None:
    assert names() == list(RUNGS)
    assert {rung.recipe for rung in every_rung(question_of())} == {Recipe()}
    assert {rung.strategy.precision for rung in every_rung(question_of())} == {"fp32"}


def test_recipes_follow_in_the_articles_order() -> None:
    plain = [name.removesuffix(", fast") for name in names(ALLOWANCES) if name.endswith(", fast")]
    assert [name for name in plain if "bf16" not in name] == [
        "384 tracks",
        "384 tracks, no track mask",
        "324 tracks, no track mask",
        "256 tracks, no track mask",
        "144 tracks, no track mask",
        "144 tracks, no track mask, radius 2",
    ]


def test_bf16_stands_beside_each_way_of_computing() -> None:
    assert names(("bf16",))[:2] == ["published", "bf16, published"]
    assert len(names(("bf16",))) == 2 * len(names())


@pytest.mark.parametrize("allowance", ALLOWANCES)
def test_every_allowance_lengthens_the_ladder(allowance: str) -> None:
    assert len(names((allowance,))) > len(names())


def test_nothing_is_raised_or_repeated() -> None:
    lean = Recipe(tracks=300, corr_radius=2, use_track_mask=False)
    recipes = [tiers[0][0][0].recipe for tiers in ladders(lean, Strategy(), ALLOWANCES)]
    assert [recipe.tracks for recipe in recipes] == [300, 256, 144]


def test_the_precision_of_the_study_is_kept() -> None:
    assert names(("bf16",), precision="bf16") == names()
    question = question_of()._replace(strategy=Strategy(precision="bf16", checkpoint=("encoder",)))
    assert {rung.strategy.precision for rung in every_rung(question)} == {"bf16"}


def test_concessions_are_values_of_a_recipe() -> None:
    for concession in CONCESSIONS:
        Recipe(**{concession.key: concession.value})
        assert concession.allowance in ALLOWANCES


@pytest.fixture(scope="module")
def tiers() -> list[list[list]]:
    """The ladder with bf16, predicted for a small model: tiers of ways of precisions."""
    model = SMALL
    clip = Clip(frames=8, height=64, width=96)
    [ladder] = ladders(Recipe(tracks=150), Strategy(), ["bf16"])
    return [
        [[predict_peak_memory(*rung[1:], clip, model) for rung in equals] for equals in tier]
        for tier in ladder
    ]


def test_each_tier_takes_more_operations_than_those_before(tiers: list[list[list]]) -> None:
    flops = [[one.flops for equals in tier for one in equals] for tier in tiers]
    assert all(max(faster) < min(slower) for faster, slower in pairwise(flops))


def test_precisions_take_the_same_operations(tiers: list[list[list]]) -> None:
    assert all(len({one.flops for one in equals}) == 1 for tier in tiers for equals in tier)


def test_the_last_tier_is_the_leanest(tiers: list[list[list]]) -> None:
    *others, last = ([one.peak_allocated_bytes for equals in tier for one in equals] for tier in tiers)
    assert min(last) < min(peak for peaks in others for peak in peaks)
    assert last[-1] == min(last)
