"""The memory of the machine, as opposed to that of its GPU."""

#: How torch says that it got none; there is no class of its own.
_ALLOCATOR = "DefaultCPUAllocator"


def raise_if_host_is_full(error: RuntimeError) -> None:
    """Raises ``MemoryError`` if this is what ``error`` means."""
    if _ALLOCATOR in str(error):
        raise MemoryError(str(error)) from error
