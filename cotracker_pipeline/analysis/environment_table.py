"""The table of what the study's tables were made with: nothing in it is a date or a folder."""

import json
import os
import platform
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from cotracker_pipeline import environment
from cotracker_pipeline.analysis.tables import Section, Table
from cotracker_pipeline.config import Study
from cotracker_pipeline.units import GB

NOTE = (
    "As it was when this table was written; it is written again when a package, the commit or the "
    "configuration changes. What was trained before is kept unless its own code, data or settings changed."
)


def environment_table(study: Study) -> Table:
    """Source, machine, every package and the study's own configuration."""
    blocks = {
        "Source": _source(),
        "Machine": _machine(),
        "Packages": environment.packages(),
        "Configuration": dict(_flat(configuration(study))),
    }
    rows = [(block, name, value) for block, values in blocks.items() for name, value in values.items()]
    sections = [
        Section(block, pd.DataFrame(values.items(), columns=["what", "value"]))
        for block, values in blocks.items()
    ]
    data = pd.DataFrame(rows, columns=["block", "what", "value"])
    return Table("What the study was made with", data, sections, [NOTE])


def configuration(study: Study) -> dict[str, Any]:
    """What the study file says, but for what a cluster is asked for, which changes no result."""
    return study.model_dump(mode="json", exclude_unset=True, exclude={"resources"})


def _source() -> dict[str, str]:
    return {
        "commit": environment.commit() or "not known: no git checkout",
        "python": platform.python_version(),
    }


def _machine() -> dict[str, str]:
    return {
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processor": environment.processor(),
        "cores": str(os.cpu_count()),
        "memory GB": f"{environment.total_bytes() / GB:.1f}",
        "GPU": environment.gpu() or "none",
        "driver": environment.driver() or "none",
    }


def _flat(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    """Dotted keys and their values, in the order of the file."""
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value if isinstance(value, str) else json.dumps(value)
