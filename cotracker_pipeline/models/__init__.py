"""The trackers, as plain modules that know nothing of configuration files."""

from cotracker_pipeline.models.cotracker2 import CoTracker2

__all__ = ["CoTracker2"]
