"""Checksums of what data are made of."""

import hashlib
import threading
from collections.abc import Iterable
from pathlib import Path

from cotracker_pipeline.errors import UserError


def digest_of_file(path: Path) -> str:
    """The SHA-256 of a file's content. Raises ``UserError`` when it cannot be read."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); give an existing file") from error


def digest_of_lines(lines: Iterable[str]) -> str:
    """The SHA-256 of lines of text: what ``sha256sum`` gives for a file that holds them."""
    return hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()


class Checksums:
    """Checksums of files below ``root``, each computed once; from any thread."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._known: dict[Path, str] = {}
        self._lock = threading.Lock()

    def of_all(self, files: Iterable[Path]) -> str:
        """The checksum of one file, or of the list that ``sha256sum`` prints of several, below ``root``."""
        digests = [(self._of(path), self._name(path)) for path in files]
        if len(digests) == 1:
            return digests[0][0]
        return digest_of_lines(f"{digest}  {name}" for digest, name in digests)

    def _of(self, path: Path) -> str:
        # one at a time, so that none is read twice; reading frames takes far longer
        with self._lock:
            if path not in self._known:
                self._known[path] = digest_of_file(path)
            return self._known[path]

    def _name(self, path: Path) -> str:
        return path.relative_to(self._root).as_posix() if path != self._root else path.name
