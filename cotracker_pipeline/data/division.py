"""How a batch of training clips is divided."""

from typing import NamedTuple


class Division(NamedTuple):
    """A batch, divided among processes, and in each into parts that are computed one after the other.

    Processes and parts have consecutive samples, so that together they have those of the undivided batch.

    Attributes:
        batch_size: samples of the whole batch, a multiple of all parts.
        processes: that compute together.
        process: the number of this one.
        accumulated: parts of each process.
    """

    batch_size: int
    processes: int = 1
    process: int = 0
    accumulated: int = 1

    @property
    def parts(self) -> int:
        """Of the whole batch."""
        return self.processes * self.accumulated

    @property
    def at_once(self) -> int:
        """Samples of a part."""
        return self.batch_size // self.parts

    @property
    def of_process(self) -> int:
        """Samples of a batch that this process computes."""
        return self.batch_size // self.processes

    def place(self, part: int) -> int:
        """Where in the whole batch the samples of a part of this process begin."""
        return self.process * self.of_process + part * self.at_once

    def sample(self, number: int) -> int:
        """Of the samples of all batches, the one that this process reads after ``number`` others."""
        batch, place = divmod(number, self.of_process)
        return batch * self.batch_size + self.process * self.of_process + place
