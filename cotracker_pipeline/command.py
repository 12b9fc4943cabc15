"""What the command lines of all steps share."""

import sys
from collections.abc import Callable

from cotracker_pipeline.errors import UserError


def run(step: Callable[[], None]) -> None:
    """Run ``step``; a ``UserError`` becomes one line on stderr and exit status 2, Ctrl-C status 130."""
    try:
        step()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
