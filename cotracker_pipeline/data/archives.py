"""Taking single files out of zip archives of others."""

import shutil
import stat
import zipfile
from contextlib import ExitStack
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from cotracker_pipeline.errors import UserError
from cotracker_pipeline.files import atomic_path

_REPAIR = "it is damaged or not the published file; download it again from its owner"


def extract(archive: Path, pattern: str, folder: Path) -> list[Path]:
    """Write the members whose names match ``pattern`` to ``folder``, without the folders of the archive.

    All of them or none appear; other members are not written.  Returns the files, by name.
    Raises ``UserError`` when the archive is damaged, has no such member, has two of one name, does not fit on
    the disk, or holds a link or a name that leads out of it, whether or not that is asked for.
    """
    try:
        with zipfile.ZipFile(archive) as file:
            members = _members(file, pattern, archive)
            _require_room(members, folder, archive)
            return _write(file, members, folder)
    except UserError:
        raise
    # zipfile and what it unpacks with meet damage with any type
    except Exception as error:
        raise UserError(f"{archive}: cannot be unpacked ({str(error)[:80]}); {_REPAIR}") from error


def _members(file: zipfile.ZipFile, pattern: str, archive: Path) -> dict[str, zipfile.ZipInfo]:
    """The members that are asked for, by the last part of their names."""
    found: dict[str, zipfile.ZipInfo] = {}
    for info in file.infolist():
        _require_harmless(info, archive)
        name = PurePosixPath(info.filename).name
        if info.is_dir() or not fnmatchcase(name, pattern):
            continue
        if name in found:
            raise UserError(f"{archive}: holds {name} twice; {_REPAIR}")
        found[name] = info
    if not found:
        raise UserError(f"{archive}: holds no {pattern}; {_REPAIR}")
    return dict(sorted(found.items()))


def _require_harmless(info: zipfile.ZipInfo, archive: Path) -> None:
    # the name as it is stored, before zipfile makes the system's separators of others
    name = info.orig_filename
    path = PurePosixPath(name)
    leads_out = path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name
    kind = stat.S_IFMT(info.external_attr >> 16)
    if leads_out or kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        what = "leads out of it" if leads_out else "is no plain file"
        raise UserError(f"{archive}: its member {name[:80]!r} {what}; {_REPAIR}")


def _require_room(members: dict[str, zipfile.ZipInfo], folder: Path, archive: Path) -> None:
    needed = sum(info.file_size for info in members.values())
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise UserError(
            f"{archive}: needs {needed} bytes, but {folder} has room for {free}; choose another folder"
        )


def _write(file: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo], folder: Path) -> list[Path]:
    # no name is final before the checksums of all members, which reading to the end compares, are right
    with ExitStack() as stack:
        for name, info in members.items():
            temporary = stack.enter_context(atomic_path(folder / name))
            with file.open(info) as source, open(temporary, "wb") as target:
                shutil.copyfileobj(source, target, 1 << 20)
    return [folder / name for name in members]
