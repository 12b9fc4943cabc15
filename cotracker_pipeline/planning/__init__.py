"""What to train on a given card: the ladder of configurations, the search on it, and the answer."""
