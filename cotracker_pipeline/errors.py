"""The one exception that a user may see."""


class UserError(Exception):
    """Bad input: one sentence that names the file, the key and the mend."""
