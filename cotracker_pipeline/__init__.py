"""What each memory optimisation of CoTracker training costs and saves."""

__version__ = "0.1.0"
