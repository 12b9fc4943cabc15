"""Where the miniature data sets are, and how all of one is read."""

from pathlib import Path

from cotracker_pipeline.data.formats import FORMATS
from cotracker_pipeline.data.store import Sequence

FIXTURES = Path(__file__).parents[2] / "fixtures"
INPUTS = {
    "kubric": FIXTURES / "kubric",
    "tapvid-davis": FIXTURES / "tapvid_davis",
    "tapvid-rgb-stacking": FIXTURES / "tapvid_rgb_stacking",
    "tapvid-kinetics": FIXTURES / "tapvid_kinetics",
    "robotap": FIXTURES / "tapvid_robotap",
    "point-odyssey": FIXTURES / "point_odyssey/test",
}

Sequences = dict[str, Sequence]


def read_all(name: str, root: Path) -> Sequences:
    """Every sequence of a data set, by name."""
    units = FORMATS[name].units(root)
    return {entry.name: entry.read() for unit in units for entry in FORMATS[name].entries(unit)}
