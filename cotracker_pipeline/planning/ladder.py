"""The ladder: the one definition of what may be tried, and in which order.

Ways of computing are free to change. What changes the training (fewer tracks, coarser rounding) is a
concession: it is tried only where it is allowed.
"""

from collections.abc import Collection
from typing import Any, NamedTuple

from cotracker_pipeline.config import BESIDE_RUNGS, Recipe, Strategy
from cotracker_pipeline.rungs import RUNGS

#: Names of ``RUNGS`` from the fastest to the leanest. Each tier takes more operations than the ones before;
#: which rung of a tier takes the fewest depends on the size of the clip and on the number of tracks. The
#: first rung is the published computation, which costs are compared with, and the last tier is the leanest.
WAYS: tuple[tuple[str, ...], ...] = (
    ("published", "fast"),
    ("fast-encoder",),
    ("fast-hidden",),
    ("moderate",),
    ("balanced",),
    ("lean",),
    ("minimal",),
)


class Concession(NamedTuple):
    """A change of the recipe: ``key`` falls to ``value`` once ``allowance`` is given."""

    allowance: str
    name: str
    key: str
    value: int | bool


#: In the article's order; each one is added to those before. The radius comes last: it saves next to nothing.
CONCESSIONS = (
    Concession("tracks", "384 tracks", "tracks", 384),
    Concession("no-track-mask", "no track mask", "use_track_mask", False),
    Concession("tracks", "324 tracks", "tracks", 324),
    Concession("tracks", "256 tracks", "tracks", 256),
    Concession("tracks", "144 tracks", "tracks", 144),
    Concession("radius", "radius 2", "corr_radius", 2),
)

BF16 = "bf16"
#: All that can be allowed, by what it puts at risk, the least first. bf16 changes only rounding and costs no
#: operations: once allowed, it is a further way of computing and precedes every change of the recipe.
ALLOWANCES = (BF16, "no-track-mask", "radius", "tracks")


class Rung(NamedTuple):
    """A configuration to try, and what it is called."""

    name: str
    recipe: Recipe
    strategy: Strategy


#: Rungs of about the same operations. Those in one inner tuple have the very same; the first is preferred.
Tier = tuple[tuple[Rung, ...], ...]


def ladders(recipe: Recipe, strategy: Strategy, allowed: Collection[str]) -> list[list[Tier]]:
    """For the recipe and then for each that ``allowed`` leads to: its tiers, the fastest first.

    Of ``strategy`` only what no rung names is kept: the rest is what the ladder varies.
    """
    kept = [strategy.model_dump(include=BESIDE_RUNGS)]
    if BF16 in allowed and strategy.precision != BF16:
        kept.append({**kept[0], "precision": BF16})
    return [[_tier(names, each, tier, kept) for tier in WAYS] for names, each in _recipes(recipe, allowed)]


def _recipes(recipe: Recipe, allowed: Collection[str]) -> list[tuple[list[str], Recipe]]:
    """The recipe, then one for each concession that is allowed and lowers something; with their names."""
    names: dict[str, str] = {}
    found: list[tuple[list[str], Recipe]] = [([], recipe)]
    for allowance, name, key, value in CONCESSIONS:
        if allowance in allowed and value < getattr(recipe, key):
            recipe = recipe.model_copy(update={key: value})
            names[key] = name
            found.append((list(names.values()), recipe))
    return found


def _tier(names: list[str], recipe: Recipe, ways: tuple[str, ...], kept: list[dict[str, Any]]) -> Tier:
    """``kept``: the keys beside the rung that the study has, then those that are allowed instead of them."""
    return tuple(
        tuple(
            Rung(
                ", ".join([*names, *([keys["precision"]] if keys is not kept[0] else []), way]),
                recipe,
                Strategy.model_validate({**keys, **RUNGS[way]}),
            )
            for keys in kept
        )
        for way in ways
    )
