"""The exceptions that a user may see, and what their sentences may hold."""

import signal


class UserError(Exception):
    """Bad input: one sentence that names the file, the key and the mend."""


class DamagedData(UserError):
    """A data file is there, but what it holds cannot be read: the one fault that a training may skip."""


class Interrupted(Exception):
    """The process was asked to stop and has kept what it did: one sentence."""

    def __init__(self, sentence: str, request: signal.Signals) -> None:
        super().__init__(sentence)
        #: The exit status that shells give to a process that the signal ended.
        self.status = 128 + request


def may_be_told(name: str) -> bool:
    """Whether a name from a file may stand in a sentence: of one line and not endless."""
    return name.isprintable() and len(name) < 200
