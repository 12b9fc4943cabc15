"""The parts of a shard that are whole already, while it is being converted."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

from cotracker_pipeline.data.formats import Entry
from cotracker_pipeline.data.store import ShardReader
from cotracker_pipeline.errors import UserError
from cotracker_pipeline.files import write_text


class Parts:
    """A folder beside a shard, with a file for each finished sequence.

    A file takes its name when it is whole, from what it was made of: the settings, the sequence, and size
    and time of the source files. What was made otherwise, or of files that changed since, is not found.
    """

    def __init__(self, shard: Path, settings: list[str]) -> None:
        self.folder = shard.parent / f".{shard.name}.parts"
        self._settings = settings

    def path(self, entry: Entry) -> Path:
        """Where the part of a sequence is, or will be. Raises ``UserError`` when a source file is missing."""
        return self.folder / f"{self._key(entry.name, entry.files)}.h5"

    def is_whole(self, part: Path) -> bool:
        """Whether the part is there and can be read."""
        try:
            with ShardReader(part) as reader:
                return len(reader) == 1
        except UserError:
            return False

    def listed(self, unit: Path) -> list[Entry]:
        """The sequences of a file, if all of them are whole; otherwise, and for a folder, none.

        So a file that has to be read to be listed is not read again for nothing.
        """
        if not unit.is_file() or not self._listing(unit).is_file():
            return []
        names = json.loads(self._listing(unit).read_text(encoding="utf-8"))
        entries = [Entry(name, (unit,), _finished) for name in names]
        return entries if all(self.is_whole(self.path(entry)) for entry in entries) else []

    def remember(self, unit: Path, entries: list[Entry]) -> list[Entry]:
        """Keep the names of the sequences of a file for ``listed``; gives back ``entries``."""
        if unit.is_file() and all(entry.files == (unit,) for entry in entries):
            write_text(self._listing(unit), json.dumps([entry.name for entry in entries]))
        return entries

    def remove_unless_useful(self) -> None:
        """Remove them where none is whole, so that what is refused at once leaves nothing."""
        # a file that is being written begins with a dot
        if not any(self.folder.glob("[0-9a-f]*.h5")):
            self.remove()

    def remove(self) -> None:
        """Remove them all."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _listing(self, unit: Path) -> Path:
        return self.folder / f"{self._key('', (unit,))}.json"

    def _key(self, name: str, files: tuple[Path, ...]) -> str:
        try:
            states = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
        except OSError as error:
            raise UserError(f"{error.filename}: cannot be read ({error.strerror}); get it again") from error
        facts: list[Any] = [self._settings, name, states]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]


def _finished() -> Any:
    raise AssertionError("a sequence that is whole is not read")
