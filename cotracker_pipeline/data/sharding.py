"""Dividing sequences among shards."""


def share(count: int, shard: int, shards: int) -> slice:
    """Which of ``count`` items go to one of ``shards``; the sizes of these differ by one at most."""
    return slice(count * shard // shards, count * (shard + 1) // shards)
