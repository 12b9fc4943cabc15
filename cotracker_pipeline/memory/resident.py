"""Memory of this process and of this machine, as the system counts it."""

import resource
import sys
from pathlib import Path

from cotracker_pipeline.environment import total_bytes


def peak_resident_bytes() -> int:
    """Most bytes of this process that were resident at one time."""
    # on Linux the peak of getrusage includes that of the process which started this one
    status = _kibibytes(Path("/proc/self/status"))
    if "VmHWM" in status:
        return status["VmHWM"]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def available_bytes() -> int:
    """Memory of this machine that programs can still take; all of it where the system does not say."""
    meminfo = _kibibytes(Path("/proc/meminfo"))
    return meminfo.get("MemAvailable") or total_bytes()


def _kibibytes(path: Path) -> dict[str, int]:
    """The lines ``name: number kB`` of a file of the kernel, in bytes; empty where there is no such file."""
    if not path.is_file():
        return {}
    lines = (line.split() for line in path.read_text().splitlines())
    return {words[0].rstrip(":"): 1024 * int(words[1]) for words in lines if words[2:] == ["kB"]}
