"""What a result was made with: source tree, machine, packages. Known without torch, in a moment."""

import os
import platform
import subprocess
from functools import cache
from importlib.metadata import distributions
from pathlib import Path


@cache
def commit() -> str | None:
    """Of the source tree that this package lies in, with "-dirty" where it is changed; None elsewhere."""
    source = Path(__file__).resolve().parents[1]
    top = first_line("git", "-C", str(source), "rev-parse", "--show-toplevel")
    # an installed package may lie in the working tree of another project
    if top is None or Path(top).resolve() != source:
        return None
    describe = ("describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")
    return first_line("git", "-C", str(source), *describe)


def packages() -> dict[str, str]:
    """Version of every installed Python package, by name, sorted: a lock of this environment."""
    found = {package.metadata["Name"]: package.version for package in distributions()}
    return dict(sorted(found.items(), key=lambda item: item[0].lower()))


def processor() -> str:
    """Name of the CPU."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def total_bytes() -> int:
    """Memory of this machine."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


@cache
def gpu() -> str | None:
    """Name and memory of the first NVIDIA GPU; None where there is none."""
    return first_line("nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader")


@cache
def driver() -> str | None:
    """Version of NVIDIA's driver; None where there is none."""
    return first_line("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader")


def first_line(*command: str) -> str | None:
    """The first line that ``command`` prints; None where it is not installed, fails or says nothing."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = done.stdout.split("\n") if done.returncode == 0 else [""]
    return lines[0].strip() or None
