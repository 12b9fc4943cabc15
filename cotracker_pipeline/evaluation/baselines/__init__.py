"""Floors: trackers that learn nothing. A trained model has to beat them to be worth its training."""

from cotracker_pipeline.evaluation.baselines.dis_flow import dis_flow
from cotracker_pipeline.evaluation.baselines.lucas_kanade import lucas_kanade
from cotracker_pipeline.evaluation.baselines.static import static
from cotracker_pipeline.evaluation.tracker import PointTracker

__all__ = ["BASELINES", "dis_flow", "lucas_kanade", "static"]

BASELINES: dict[str, PointTracker] = {"static": static, "lucas-kanade": lucas_kanade, "dis-flow": dis_flow}
"""Every floor by the name it has in tables; each follows the ``PointTracker`` protocol."""
