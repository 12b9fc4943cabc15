"""Folders of the user's own files."""

from pathlib import Path

from cotracker_pipeline.errors import UserError


def files_in(folder: str, suffixes: frozenset[str]) -> list[Path]:
    """The files below ``folder`` that end in one of ``suffixes`` (lower case), at any depth, sorted.

    Raises ``UserError`` when there is none.
    """
    found = sorted(path for path in Path(folder).rglob("*") if path.suffix.lower() in suffixes)
    if not found:
        raise UserError(
            f"{folder}: holds no file that ends in {', '.join(sorted(suffixes))}; give another folder"
        )
    return found
