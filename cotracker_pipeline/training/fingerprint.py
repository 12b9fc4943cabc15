"""Names for trainings."""

import hashlib
import json
from typing import Any


def fingerprint(parts: dict[str, Any]) -> str:
    """The SHA-256 of plain values: equal for equal ones, and for no others."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
