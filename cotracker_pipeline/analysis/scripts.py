"""Data and the scripts that read them, inside of a page."""

import json
from typing import Any


def script(name: str, data: Any, code: str) -> str:
    """``data`` as JSON in the element ``name``, and the module ``code`` that reads it there."""
    # no "</script>" of a text may end the element
    text = json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    return (
        f'<script type="application/json" id="{name}">{text}</script>\n'
        f'<script type="module">\n{code.strip()}\n</script>\n'
    )
