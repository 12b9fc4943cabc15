"""Studies that somebody may write: the tiny one with some of it changed, left out or added."""

import copy
import math
from collections.abc import Iterator
from typing import Any

import yaml
from hypothesis import strategies as st
from running import ROOT, TINY

VALUES: dict[str, Any] = yaml.safe_load((ROOT / TINY).read_text())
Place = tuple[str | int, ...]

# what YAML can hold besides keys and values
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.text(min_size=300, max_size=900),
    st.sampled_from(["yes", "baseline", "auto", "balanced", "random", "cpu", "../x", "a b", "a\nb", "é"]),
    st.dates(),
    st.binary(max_size=4),
)
things = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(scalars, inner, max_size=3),
    max_leaves=6,
)
#: Keys that there are, though not everywhere.
KEYS = [
    *("tracks", "seeds", "loss", "rung", "files", "dataset", "textures", "auto", "mem_mb", "on_nan"),
    *("validation", "validate_every"),
]


def near(value: Any) -> st.SearchStrategy[Any]:
    """What may be written by mistake for ``value``."""
    number = value if isinstance(value, int | float) else 3
    return st.one_of(
        st.sampled_from(
            [
                *(number + 1, number - 1, -number, 0, float(number), number + 0.5, 10**30),
                *(math.inf, -math.inf, math.nan, True, False, None, [], {}, "", "5e-4", str(value)),
                *([value], [value, value], {"rung": value}, copy.deepcopy(value)),
            ]
        ),
        st.integers(-3, 70),
    )


def places(value: Any, above: Place = ()) -> Iterator[Place]:
    """Everything in ``value``, itself left out."""
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in below:
        yield (*above, key)
        yield from places(part, (*above, key))


@st.composite
def studies(draw: st.DrawFn) -> dict[Any, Any]:
    """Up to three changes, all but the first of which may be no mistake."""
    study = copy.deepcopy(VALUES)
    for _ in range(draw(st.integers(1, 3))):
        if study:
            _change(draw, study)
    return study


def _change(draw: st.DrawFn, study: dict[Any, Any]) -> None:
    *above, last = draw(st.sampled_from(sorted(places(study), key=str)))
    inside: Any = study
    for key in above:
        inside = inside[key]
    change = draw(st.sampled_from(["near", "near", "set", "remove", "add"]))
    if change == "remove":
        del inside[last]
    elif change == "near":
        inside[last] = draw(near(inside[last]))
    elif change == "set" or isinstance(inside, list):
        inside[last] = draw(things)
    else:
        inside[draw(st.sampled_from(KEYS) | scalars)] = draw(things)
