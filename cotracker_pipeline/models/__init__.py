"""The trackers, as plain modules that know nothing of configuration files."""

from cotracker_pipeline.models.cotracker2 import CoTracker2
from cotracker_pipeline.models.cotracker3_offline import CoTracker3Offline
from cotracker_pipeline.models.cotracker3_online import CoTracker3Online

__all__ = ["CoTracker2", "CoTracker3Offline", "CoTracker3Online"]
