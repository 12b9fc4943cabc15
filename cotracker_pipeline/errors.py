"""The one exception that a user may see, and what its sentence may hold."""


class UserError(Exception):
    """Bad input: one sentence that names the file, the key and the mend."""


def may_be_told(name: str) -> bool:
    """Whether a name from a file may stand in a sentence: of one line and not endless."""
    return name.isprintable() and len(name) < 200
