"""Being asked to stop: by SLURM before a limit, by Snakemake, by Ctrl-C."""

import signal
from collections.abc import Callable
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Any, Self

import psutil

#: SLURM sends either before the time limit; both are sent to a job that is cancelled or gives way.
REQUESTS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)


def heed(handler: Callable[[int, FrameType | None], None]) -> dict[signal.Signals, Any]:
    """Let ``handler`` take all requests; returns what took each before."""
    before = {request: signal.signal(request, handler) for request in REQUESTS}
    # the workflow blocks SIGUSR1, so that none is lost that comes before here
    signal.pthread_sigmask(signal.SIG_UNBLOCK, REQUESTS)
    return before


def send_to_children(number: int) -> None:
    """Send a signal to the processes that this one has started."""
    for child in psutil.Process().children():
        with suppress(psutil.NoSuchProcess):
            child.send_signal(number)


class StopRequests:
    """While it is entered, the first signal is remembered; a second Ctrl-C interrupts at once.

    Attributes:
        received: the first request; None before there is one.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None

    def __enter__(self) -> Self:
        self._before = heed(self._remember)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for request, handler in self._before.items():
            signal.signal(request, handler)

    def _remember(self, number: int, frame: FrameType | None) -> None:
        del frame
        if number == signal.SIGINT:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        self.received = self.received or signal.Signals(number)
