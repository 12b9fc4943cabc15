"""Units of memory, for all that is said to a reader."""

GB = 1e9
"""Bytes of the unit in which memory is reported."""
GIB = 2**30
"""Bytes of the unit in which cards are sold: a "24 GB" card has 24 GiB."""
