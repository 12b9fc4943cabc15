"""Writing files so that nothing is ever half-written."""

import errno
import fcntl
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from cotracker_pipeline.errors import UserError

#: What only writing meets, with the mend; all else may come from a file that was read meanwhile.
_FAULTS_OF_WRITING = {
    errno.ENOSPC: "make room on the disk",
    errno.EDQUOT: "make room within your quota",
    errno.EFBIG: "raise the largest size that a file may have here",
    errno.EROFS: "choose a writable folder",
}

_FAULT_IN_RUST = re.compile(r"\(os error (\d+)\)")


@contextmanager
def atomic_path(target: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside ``target``; rename it to ``target`` only if the block succeeds.

    The temporary file keeps the suffix of ``target`` (writers that choose a format by suffix see it).
    Raises ``UserError`` when the folder cannot be written or the disk is full.
    """
    target = Path(target)
    make_folder(target)
    try:
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.stem}-", suffix=target.suffix)
    except OSError as error:
        raise unwritable(target, error) from error
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp makes the file private; results are for sharing
        temporary.chmod(0o644)
        os.replace(temporary, target)
    except Exception as error:
        fault = _fault(error)
        if fault.errno not in _FAULTS_OF_WRITING:
            raise
        raise unwritable(target, fault) from error
    finally:
        temporary.unlink(missing_ok=True)


def make_folder(target: Path) -> None:
    """The folder of ``target``. Raises ``UserError`` when it cannot be."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(target, error) from error


def claim(path: Path, who: str) -> BinaryIO:
    """Hold ``path``, a file of no content, until what is returned is closed or this process ends, in any way.

    Raises ``UserError`` when another process holds it, for which ``who`` stands.
    """
    make_folder(path)
    try:
        file = path.open("ab")
    except OSError as error:
        raise unwritable(path, error) from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise UserError(f"{path}: {who} is still running here; wait for it, or end it") from error
    except OSError:
        # some network file systems have no locks; a training must be possible there, too
        pass
    return file


def write_text(target: str | os.PathLike[str], text: str) -> None:
    """Write ``text`` (UTF-8) to ``target`` atomically."""
    with atomic_path(target) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _fault(error: Exception) -> OSError:
    """What the system said; libraries in Rust, safetensors among them, say it in an error of their own."""
    if isinstance(error, OSError):
        return error
    told = _FAULT_IN_RUST.search(str(error))
    number = int(told[1]) if told else 0
    return OSError(number, os.strerror(number))


def unwritable(target: Path, error: OSError) -> UserError:
    """What to raise where ``target`` could not be written."""
    mend = _FAULTS_OF_WRITING.get(error.errno or 0, "choose a writable folder")
    return UserError(f"{target}: cannot be written ({error.strerror}); {mend}")
