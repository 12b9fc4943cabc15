"""Tables: what they say, and in which formats."""

import io
import json
from pathlib import Path

import pandas as pd
import pytest

from cotracker_pipeline.analysis.ablation_table import ablation_table
from cotracker_pipeline.analysis.accuracy_table import accuracy_table
from cotracker_pipeline.analysis.budgets_table import budgets_table
from cotracker_pipeline.analysis.evidence import (
    Evidence,
    read_accuracy,
    read_budgets,
    read_measurements,
    read_predictions,
)
from cotracker_pipeline.analysis.measured_table import measured_table
from cotracker_pipeline.analysis.memory_table import memory_table
from cotracker_pipeline.analysis.tables import (
    MEASUREMENT_COLUMNS,
    WRITERS,
    Table,
    to_csv,
    to_latex,
    to_markdown,
)
from cotracker_pipeline.config import ModelSize, Study
from cotracker_pipeline.errors import UserError


@pytest.fixture
def ablation(study: Study, evidence: Evidence) -> Table:
    return ablation_table(study, "precision", evidence.predictions, evidence.accuracy, evidence.floors)


def test_memory_table_compares_with_the_baseline(study: Study, evidence: Evidence) -> None:
    frame = memory_table(study, evidence.predictions).sections[0].frame.set_index("variant")
    assert frame.loc["baseline", "peak GB"] == "60.00"
    assert frame.loc["bf16", "saved %"] == "33.3"
    assert frame.loc["lean", "strategy"] == "checkpoint encoder"


def test_memory_table_states_the_true_size(study: Study, evidence: Evidence) -> None:
    heading = memory_table(study, evidence.predictions).sections[0].heading
    assert "true size" in heading
    assert "768 tracks" in heading
    assert "1x24x384x512" in heading


@pytest.mark.parametrize(
    ("architecture", "name", "masks"),
    [
        ("cotracker2", "published model", "track + attention"),
        ("cotracker3-online", "published cotracker3-online", "attention"),
        ("cotracker3-offline", "published cotracker3-offline", "none"),
    ],
)
def test_memory_table_names_the_tracker_and_the_masks_it_has(
    study: Study, evidence: Evidence, architecture: str, name: str, masks: str
) -> None:
    memory = study.memory.model_copy(update={"model": ModelSize(architecture=architecture)})
    table = memory_table(study.model_copy(update={"memory": memory}), evidence.predictions)
    assert name in table.sections[0].heading
    assert table.sections[0].frame.set_index("variant").loc["baseline", "masks"] == masks


def test_memory_table_explains_the_peaks(study: Study, evidence: Evidence) -> None:
    section = memory_table(study, evidence.predictions).sections[1]
    row = section.frame.set_index("variant").loc["lean"]
    assert "true size" in section.heading
    assert row["peak"] == "10.00 GB are live at the peak."
    assert row["who holds it"] == "10.00 GB (100.0 %): made-up.*."


@pytest.fixture
def measured(study: Study, evidence: Evidence, results: Path) -> Table:
    paths = sorted(results.glob("memory/measured/*.json"))
    return measured_table(study, read_measurements(paths), evidence.predictions)


def test_measured_table_stands_beside_the_prediction(measured: Table) -> None:
    frame = measured.sections[0].frame.set_index("variant")
    row = frame.loc["bf16"]
    assert (row["allocated GB"], row["allocated, predicted GB"]) == ("41.21", "40.40")
    assert (row["allocated, difference %"], row["reserved, difference %"]) == ("+2.00", "+2.00")
    assert row["s per step"] == "1.500"
    assert "resident GB" not in frame


def test_measured_table_says_where_memory_ran_out(measured: Table) -> None:
    row = measured.sections[0].frame.set_index("variant").loc["baseline"]
    assert row["result"] == "out of memory"
    assert (row["allocated GB"], row["allocated, predicted GB"]) == ("", "60.60")
    assert (row["allocated, difference %"], row["s per step"]) == ("", "")


def test_measured_rows_carry_their_machine(measured: Table) -> None:
    assert "measured on Made-up GPU (driver 1.2, torch 2.13.0)" in measured.sections[0].heading
    assert measured.data["scale"].str.endswith("Made-up GPU (driver 1.2, torch 2.13.0)").all()
    assert measured.data["value"].notna().all()


@pytest.fixture
def budgets(study: Study, results: Path) -> Table:
    return budgets_table(study, read_budgets(results / "memory/budgets.json"))


def test_budgets_stand_apart_by_what_is_allowed(budgets: Table) -> None:
    assert ["true size" in section.heading for section in budgets.sections] == [True, True]
    kept, allowed = (section.heading.partition(", at")[0] for section in budgets.sections)
    assert (kept, allowed) == ("Recipe kept", "Allowed to change: bf16")


def test_budgets_say_what_fits_and_what_does_not(budgets: Table) -> None:
    kept, allowed = (section.frame.set_index("card") for section in budgets.sections)
    assert list(kept["fits"]) == ["yes", "nothing"]
    assert list(allowed["fits"]) == ["yes", "yes"]
    row = allowed.loc["6 GiB"]
    assert (row["configuration"], row["needs GB"], row["x plain"]) == ("bf16, lean", "6.00", "1.25")
    assert not budgets.data.duplicated(["scale", "subject", "measure"]).any()


def test_accuracy_table_states_the_scale_in_every_heading(study: Study, evidence: Evidence) -> None:
    sections = accuracy_table(study, evidence.accuracy, evidence.floors).sections
    assert [section.heading.count("small scale (track factor 0.0625") for section in sections] == [1, 1]
    assert "steps 20, seeds 3, videos 6" in sections[0].heading


def test_accuracy_says_over_how_many_seeds_and_videos(study: Study, evidence: Evidence) -> None:
    data = accuracy_table(study, evidence.accuracy, evidence.floors).data
    assert set(data[data["subject"].isin(study.variants)]["seeds"]) == {3}
    assert set(data[~data["subject"].isin(study.variants)]["seeds"]) == {0}
    assert set(data["videos"]) == {6}


def test_accuracy_table_says_which_difference_it_resolves(study: Study, evidence: Evidence) -> None:
    table = accuracy_table(study, evidence.accuracy, evidence.floors)
    data = table.data[table.data["measure"] == "average_jaccard_difference"].set_index("query_mode")
    first = data.loc["first"]
    expected = 100 * ((first["high"] - first["low"]) / 2).median()
    assert f"Resolution in query mode first: AJ {expected:.1f}, δ avg {expected:.1f}" in table.notes[1]


def test_accuracy_table_has_differences_and_floors(study: Study, evidence: Evidence) -> None:
    table = accuracy_table(study, evidence.accuracy, evidence.floors)
    frame = table.sections[0].frame.set_index("variant")
    assert list(frame.index) == ["baseline", "bf16", "lean", "lucas-kanade (floor)", "static (floor)"]
    assert frame.loc["baseline", "Δ AJ"] == ""
    assert frame.loc["lean", "Δ AJ"].startswith("-15.")
    assert set(frame["loss"]) == {"corrected", ""}


def test_ablation_keeps_the_two_scales_apart(ablation: Table) -> None:
    headings = [section.heading for section in ablation.sections]
    assert ["true size" in heading for heading in headings] == [True, False, False]
    assert ["small scale" in heading for heading in headings] == [False, True, True]
    scale_of = ablation.data.groupby("measure")["scale"].nunique()
    assert (scale_of == 1).all()


def test_csv_is_tidy(ablation: Table) -> None:
    frame = pd.read_csv(io.StringIO(to_csv(ablation)))
    assert list(frame.columns) == MEASUREMENT_COLUMNS
    assert frame["value"].notna().all()
    assert not frame.duplicated(["subject", "query_mode", "measure"]).any()


def test_latex_escapes_what_latex_reads(ablation: Table) -> None:
    text = to_latex(ablation)
    assert r"saved \%" in text
    assert r"$\delta$ avg" in text
    assert text.count(r"\begin{table}") == len(ablation.sections)


def test_markdown_has_a_heading_for_every_section(ablation: Table) -> None:
    assert to_markdown(ablation).count("\n## ") == len(ablation.sections)


@pytest.mark.parametrize("write", WRITERS.values())
def test_same_measurements_give_the_same_bytes(write, study: Study, evidence: Evidence) -> None:
    first, second = (accuracy_table(study, evidence.accuracy, evidence.floors) for _ in range(2))
    assert write(first) == write(second)


def test_accuracy_needs_a_seed_in_its_path(results: Path, tmp_path: Path) -> None:
    stray = tmp_path / "evaluation.csv"
    stray.write_text((results / "eval/baseline/seed-0/evaluation.csv").read_text())
    with pytest.raises(UserError, match="the seed is not known"):
        read_accuracy([stray])


@pytest.mark.parametrize("text", ["", "video,frames\na,1\n", "\x00\x01"])
def test_a_broken_evaluation_is_one_sentence(text: str, tmp_path: Path) -> None:
    path = tmp_path / "baseline" / "seed-0" / "evaluation.csv"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    with pytest.raises(UserError, match=r"evaluation\.csv: "):
        read_accuracy([path])


def test_a_timeline_with_gaps_is_one_sentence(results: Path, tmp_path: Path) -> None:
    report = json.loads((results / "memory/predicted/lean.json").read_text())
    report["timeline"]["components"]["encoder"].pop()
    path = tmp_path / "lean.json"
    path.write_text(json.dumps(report))
    with pytest.raises(
        UserError, match=r"timeline: .*no number for every position; run predict_memory again"
    ):
        read_predictions([path])


@pytest.mark.parametrize("text", ["", "{}", "[1]"])
def test_a_broken_prediction_is_one_sentence(text: str, tmp_path: Path) -> None:
    path = tmp_path / "baseline.json"
    path.write_text(text)
    with pytest.raises(UserError, match=r"baseline\.json: .*run predict_memory again"):
        read_predictions([path])
