"""A training in several processes, as torchrun starts them, each forked from one that has imported torch."""

import os
import socket
import time
from pathlib import Path

from killed_training import Run, Trap

#: No training of these tests takes so long; one that hangs is killed.
SECONDS = 90


class TeamRun(Run):
    """A ``Run`` of the train step in ``size`` processes.

    Every process has the traps; ``OfRank`` has them in one process only.
    """

    def __init__(self, folder: Path, name: str, size: int = 2) -> None:
        super().__init__(folder, name)
        self.size = size

    def finish_all(self, *traps: Trap) -> list[int]:
        """The exit status of each process; all have ended, and none was left to wait for ever."""
        port = free_port()
        processes = [self.start(Numbered(rank, self.size, port), *traps) for rank in range(self.size)]
        until = time.monotonic() + SECONDS
        try:
            for process in processes:
                process.join(max(0, until - time.monotonic()))
            hanging = [rank for rank, process in enumerate(processes) if process.is_alive()]
            assert not hanging, f"processes {hanging} hang: {self.log.read_text()}"
        finally:
            for process in processes:
                process.kill()
                process.join()
        return [process.exitcode for process in processes]


class Numbered:
    """What torchrun tells a process."""

    def __init__(self, rank: int, size: int, port: int) -> None:
        self.environment = {
            "RANK": str(rank),
            "LOCAL_RANK": str(rank),
            "WORLD_SIZE": str(size),
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(port),
        }

    def __call__(self, out: Path) -> None:
        del out
        os.environ.update(self.environment)


class OfRank:
    """``trap`` in the process of this rank alone."""

    def __init__(self, rank: int, trap: Trap) -> None:
        self.rank = rank
        self.trap = trap

    def __call__(self, out: Path) -> None:
        if os.environ["RANK"] == str(self.rank):
            self.trap(out)


def free_port() -> int:
    """Of this machine."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
