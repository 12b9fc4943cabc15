"""Which files of the package a step depends on, so that the workflow runs it again when one is edited."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from cotracker_pipeline.data.checksums import Checksums

PACKAGE = Path(__file__).parent

# what they say of a study reaches each rule as a parameter: editing them must not retrain everything
COMMON = {"__init__.py", "command.py", "config.py", "errors.py", "files.py"}

_CHECKSUMS = Checksums(PACKAGE)
# called by a training, but changes no weights: editing it, or the evaluation that it calls, must not retrain
WATCHING = {"evaluation/validation.py"}

# read when the module of the same name is imported
BESIDE = (".css", ".js")


def source_files(step: str) -> list[Path]:
    """The module ``step`` and all modules of the package that it imports, directly or not, sorted.

    The style sheets and scripts beside these modules, of the same names, are among them. The modules that
    all steps share (``COMMON``) are left out, and those that only watch (``WATCHING``) with what only they
    import. Empty when there is no such module.
    """
    found: set[Path] = set()
    waiting = _files_of([step])
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting |= imported_files(path)
    return sorted(found | {file for path in found for file in _beside(path)})


def digest(step: str) -> str:
    """The SHA-256 of ``source_files(step)``, their names included: another one when any of them is edited."""
    return _CHECKSUMS.of_all(source_files(step))


@cache
def imported_files(path: Path) -> set[Path]:
    """Files of the package that the file ``path`` imports itself."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {file for names in _imports(tree) for file in _files_of(names)}


def _beside(path: Path) -> Iterator[Path]:
    return (file for file in (path.with_suffix(suffix) for suffix in BESIDE) if file.is_file())


def _imports(tree: ast.Module) -> Iterator[list[str]]:
    """Names below the package, split at the dots, of everything that ``tree`` imports from it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            # an imported name may be a module or something in one: the file system tells
            yield from _below_package([f"{node.module}.{alias.name}" for alias in node.names])
        elif isinstance(node, ast.Import):
            yield from _below_package([alias.name for alias in node.names])


def _below_package(names: list[str]) -> Iterator[list[str]]:
    for name in names:
        first, *rest = name.split(".")
        if first == PACKAGE.name:
            yield rest


def _files_of(names: list[str]) -> set[Path]:
    """The module at ``names`` and the packages above it, whose ``__init__`` Python runs too."""
    places = [PACKAGE.joinpath(*names[: end + 1]) for end in range(len(names))]
    files = {place / "__init__.py" for place in places} | {place.with_suffix(".py") for place in places}
    return {
        file for file in files if file.is_file() and str(file.relative_to(PACKAGE)) not in COMMON | WATCHING
    }
