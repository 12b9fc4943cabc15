"""What the command lines of all steps share."""

import os
import sys
from collections.abc import Callable
from typing import NoReturn

from tqdm import tqdm

from cotracker_pipeline.errors import Interrupted, UserError


def run(step: Callable[[], None]) -> None:
    """Run ``step``; what ends it early becomes one line on stderr and an exit status.

    2 after a ``UserError`` and when the memory of the machine ran out, 130 after Ctrl-C, 128 and the number
    of the signal after an ``Interrupted``.
    """
    try:
        step()
    except UserError as error:
        _end(f"error: {error}", 2)
    except MemoryError:
        _end("error: the memory of this machine ran out; lower training.workers, or give the job more", 2)
    except Interrupted as stop:
        _end(f"stopped: {stop}", stop.status)
    except KeyboardInterrupt:
        _end("interrupted", 130)


def say(sentence: str) -> None:
    """A line on stderr, past the progress bar if there is one."""
    tqdm.write(sentence, file=sys.stderr)


def say_once(sentence: str) -> None:
    """The same, of what all processes know that torchrun has started together: the first one says it."""
    if os.environ.get("RANK", "0") == "0":
        say(sentence)


def _end(sentence: str, status: int) -> NoReturn:
    print(sentence, file=sys.stderr)
    sys.exit(status)
