"""The colours of all figures, pages and clips: such as colour-blind readers can tell apart."""

from collections.abc import Iterable
from itertools import cycle

PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#000000")
"""Okabe and Ito, "Color Universal Design", 2008, without the yellow, which vanishes on white."""
GREYS = ("#999999", "#555555", "#BBBBBB", "#DDDDDD")
"""For whatever components follow the known ones."""
ON_VIDEO = (*PALETTE[:-1], "#F0E442")
"""Of tracks: with the yellow, and without the black, which vanishes on dark textures."""

COMPONENTS = ("transformer", "correlation", "encoder", "parameters", "gradients", "optimiser")


def component_colours(names: Iterable[str]) -> dict[str, str]:
    """A colour for each component: known ones first, then whatever else there is."""
    found = list(names)
    ordered = [name for name in COMPONENTS if name in found]
    ordered += [name for name in found if name not in COMPONENTS]
    known = dict(zip(COMPONENTS, PALETTE, strict=False))
    others = cycle(GREYS)
    return {name: known.get(name) or next(others) for name in ordered}
