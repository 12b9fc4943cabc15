"""When the state of a training is kept, and that nothing done is lost when it ends early."""

from contextlib import suppress
from pathlib import Path
from signal import Signals
from types import TracebackType
from typing import Any, BinaryIO, Protocol, Self

from cotracker_pipeline.errors import Interrupted, UserError
from cotracker_pipeline.files import claim
from cotracker_pipeline.training.distributed import ALONE, Team
from cotracker_pipeline.training.state import LOCK, discard_state, load_state, save_state
from cotracker_pipeline.training.stopping import StopRequests


class Continuable(Protocol):
    """What can be stopped between two steps and continued from its state."""

    @property
    def step(self) -> int:
        """How many are done."""

    def state(self) -> dict[str, Any]:
        """Everything that ``restore`` needs."""

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from what ``state`` returned."""


class Keeper:
    """Keeps the state of ``training`` in ``folder``.

    Entered, it continues from the state that is there; another process cannot enter then. It keeps the state
    when a ``UserError`` ends the block, which must leave ``training`` between two steps. Of a team the first
    process keeps it, and all stop after the same step.

    Args:
        training: whose state it is.
        folder: of the last states.
        fingerprint: names what is computed; states of another one are not continued.
        every: steps between states.
        team: the processes that train.
    """

    def __init__(
        self, training: Continuable, folder: Path, fingerprint: str, every: int, team: Team = ALONE
    ) -> None:
        self.training = training
        self.folder = folder
        self.fingerprint = fingerprint
        self.every = every
        self.team = team
        self._requests = StopRequests()
        self._lock: BinaryIO | None = None
        self._kept = 0

    def __enter__(self) -> Self:
        if state := self.team.from_first(self._found):
            self.training.restore(state)
            self._kept = self.training.step
        self._requests.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if isinstance(error, UserError):
                # a disk that is full is what the error is about already
                with suppress(UserError):
                    if self.team.first:
                        self._keep()
                # the error may come from a process that reads clips and ended at the same signal
                if self._kept == self.training.step:
                    self._stop_if_asked(self._requests.received)
        finally:
            self._requests.__exit__(kind, error, trace)
            if self._lock:
                self._lock.close()

    def after_step(self) -> None:
        """Keep the state if it is time to.

        Raises:
            Interrupted: when a process was asked to stop; the state is kept.
            UserError: when the state cannot be written.
        """
        request = self.team.greatest(self._requests.received or 0)
        if request or self.training.step % self.every == 0:
            self.team.from_first(self._keep)
        self._stop_if_asked(Signals(request) if request else None)

    def discard(self) -> None:
        """Delete the states: the training has ended and its results are written."""
        discard_state(self.folder)

    def _found(self) -> dict[str, Any] | None:
        """The state to continue from, now that no other process can."""
        self._lock = claim(self.folder / LOCK, "another process that trains the same")
        return load_state(self.folder, self.fingerprint)

    def _keep(self) -> None:
        if self.training.step > self._kept:
            save_state(self.folder, {**self.training.state(), "fingerprint": self.fingerprint})
            self._kept = self.training.step

    def _stop_if_asked(self, request: Signals | None) -> None:
        if request:
            raise Interrupted(
                f"{request.name} came; {self.folder} holds the {self.training.step} steps that are done, and "
                "the same command continues",
                request,
            )
