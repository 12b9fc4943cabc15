"""What a step depends on."""

from pathlib import Path

import pytest

from cotracker_pipeline import dependencies
from cotracker_pipeline.dependencies import PACKAGE, digest, imported_files, source_files


def names(step: str) -> set[str]:
    return {str(path.relative_to(PACKAGE)) for path in source_files(step)}


def test_a_step_depends_on_what_it_imports_directly_or_not() -> None:
    assert {"tabulate.py", "analysis/ablation_table.py", "analysis/statistics.py"} <= names("tabulate")


def test_a_step_depends_on_style_sheets_and_scripts_of_its_pages() -> None:
    assert {"analysis/pages.py", "analysis/pages.css", "analysis/pages.js"} <= names("tabulate")


def test_a_step_does_not_depend_on_what_others_import() -> None:
    assert not {"analysis/figures.py", "models/cotracker2.py"} & names("tabulate")


def test_what_all_steps_share_is_left_out() -> None:
    assert not dependencies.COMMON & names("judge")


def test_a_training_does_not_depend_on_how_it_is_validated() -> None:
    assert {"training/loop.py", "training/validated.py"} <= names("train")
    assert not {"evaluation/validation.py", "evaluation/metrics.py", "models/predictors.py"} & names("train")


def test_a_step_that_is_not_there_depends_on_nothing() -> None:
    assert source_files("no_such_step") == []


def test_steps_of_other_code_have_other_digests() -> None:
    assert digest("tabulate") == digest("tabulate")
    assert digest("tabulate") != digest("judge")


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("from cotracker_pipeline.analysis import figures", "analysis/figures.py"),
        ("from cotracker_pipeline.analysis.figures import save_svg", "analysis/figures.py"),
        ("import cotracker_pipeline.analysis.figures", "analysis/figures.py"),
        ("from cotracker_pipeline import judge", "judge.py"),
        ("def late():\n    from cotracker_pipeline.analysis import figures", "analysis/figures.py"),
    ],
)
def test_every_way_to_import(line: str, found: str, tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text(line)
    assert PACKAGE / found in imported_files(path)


def test_other_packages_are_no_dependency(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text("import numpy\nfrom pathlib import Path\nfrom . import judge\n")
    assert imported_files(path) == set()
