"""Published numbers as data, and the table that puts ours beside them."""

from pathlib import Path

import pandas as pd
import pytest
import yaml

from cotracker_pipeline.analysis.published_numbers import MEASURES, load_numbers, read_measured
from cotracker_pipeline.analysis.published_table import published_table
from cotracker_pipeline.analysis.tables import to_markdown
from cotracker_pipeline.config import Published, load_study
from cotracker_pipeline.errors import UserError

CONFIG = Path(__file__).parents[2] / "config"

PUBLISHED = Published.model_validate(
    {
        "numbers": "numbers.yaml",
        "checkpoints": {"two": {"file": "two.pth"}, "three": {"file": "three.pth"}},
        "sets": {"davis": {"dataset": "davis"}, "replica": {"dataset": "replica"}},
    }
)


def number(checkpoint: str, tracking: str, source: str, **values: float) -> dict:
    facts = {"checkpoint": checkpoint, "set": "davis", "tracking": tracking, "source": source}
    return {**facts, "values": values}


NUMBERS = {
    "sources": {"readme": "a README", "paper": "a paper"},
    "numbers": [
        number("two", "jointly", "readme", average_jaccard=50.0),
        number("two", "singly", "paper", average_jaccard=60.5),
        number("three", "singly", "paper", occlusion_accuracy=90.0),
    ],
}


@pytest.fixture
def numbers(tmp_path):
    (tmp_path / "numbers.yaml").write_text(yaml.safe_dump(NUMBERS))
    return load_numbers(tmp_path / "numbers.yaml")


@pytest.fixture
def measured(tmp_path):
    folder = tmp_path / "two"
    (folder / "davis").mkdir(parents=True)
    (folder / "replica").mkdir()
    jaccards = {"first": [0.5, 0.6, None], "strided": [0.25, 0.25, 0.25]}
    davis = [
        {"video": number, "query_mode": mode, "average_jaccard": value, "jaccard_1": 0.0}
        for mode, values in jaccards.items()
        for number, value in enumerate(values)
    ]
    pd.DataFrame(davis).to_csv(folder / "davis/evaluation.csv")
    replica = {"video": "a", "query_mode": "frame-0", "survival": 0.75, "median_l2": 3.5}
    pd.DataFrame([replica]).to_csv(folder / "replica/evaluation.csv")
    return read_measured(folder / name / "evaluation.csv" for name in ("davis", "replica"))


def test_every_number_stands_beside_its_own(numbers, measured):
    rows = published_table(PUBLISHED, numbers, measured).data

    def of(name, mode, checkpoint):
        return rows[(rows["set"] == name) & (rows["query_mode"] == mode) & (rows["checkpoint"] == checkpoint)]

    first = of("davis", "first", "two")
    assert list(first["measured"]) == pytest.approx([55, 55])
    assert list(first["difference"]) == pytest.approx([5, -5.5])
    assert list(first["tracking"]) == ["jointly", "singly"]
    assert list(first["videos"]) == [2, 2]
    assert list(first["undefined"]) == [1, 1]
    strided = of("davis", "strided", "two").iloc[0]
    assert strided["measured"] == pytest.approx(25)
    assert pd.isna(strided["published"])
    missing = of("davis", "first", "three").iloc[0]
    assert missing["published"] == 90
    assert pd.isna(missing["measured"])
    assert pd.isna(missing["difference"])
    replica = of("replica", "frame-0", "two").set_index("measure")
    assert replica.loc["survival", "measured"] == pytest.approx(75)
    assert tuple(replica.loc["median_l2", ["measured", "unit"]]) == (3.5, "px")
    assert len(rows) == 6


def test_it_can_be_read(numbers, measured):
    text = to_markdown(published_table(PUBLISHED, numbers, measured))
    assert "## davis, queries first" in text
    assert "readme: a README." in text
    row = next(line for line in text.splitlines() if "singly" in line and "two" in line)
    assert [cell.strip() for cell in row.strip("|").split("|")] == [
        *("two", "AJ", "55.0", "60.5", "-5.5", "singly", "paper", "2")
    ]


def test_nothing_measured_is_a_table_too(numbers):
    table = published_table(PUBLISHED, numbers, [])
    assert table.data["measured"].isna().all()
    assert len(table.data) == 3
    assert to_markdown(table)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"source": "nowhere"}, "there is no source 'nowhere'"),
        ({"values": {"jaccard": 3.0}}, "there is no measure 'jaccard'"),
        ({"tracking": "together"}, "numbers.0.tracking"),
        ({"values": {"average_jaccard": -1}}, "numbers.0.values.average_jaccard"),
    ],
)
def test_a_mistake_in_the_numbers_is_named(change, told, tmp_path):
    first, *others = NUMBERS["numbers"]
    (tmp_path / "numbers.yaml").write_text(
        yaml.safe_dump({**NUMBERS, "numbers": [{**first, **change}, *others]})
    )
    with pytest.raises(UserError, match=r"numbers\.yaml: ") as error:
        load_numbers(tmp_path / "numbers.yaml")
    assert told in str(error.value)


def test_what_is_no_evaluation_is_named(tmp_path):
    (tmp_path / "evaluation.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match=r"evaluation\.csv: is no evaluation"):
        read_measured([tmp_path / "evaluation.csv"])


def test_the_shipped_numbers_are_of_the_shipped_study():
    """Every checkpoint, set and query mode exists, no number stands twice, and all are shares in points."""
    published = load_study(CONFIG / "published.yaml").published
    study = load_study(CONFIG / "published.yaml")
    shipped = load_numbers(CONFIG / "published_numbers.yaml")
    seen = set()
    for number in shipped.numbers:
        chosen, evaluation = study.published_evaluation(number.checkpoint, number.set)
        modes = evaluation.query_modes if chosen.metrics == "tap-vid" else ("frame-0",)
        assert number.query_mode in modes
        for measure, value in number.values.items():
            key = (number.checkpoint, number.set, number.query_mode, measure, number.source)
            assert key not in seen
            seen.add(key)
            assert 1 < value < 100
            assert measure in MEASURES
    assert {number.checkpoint for number in shipped.numbers} < set(published.checkpoints)
    assert {number.source for number in shipped.numbers} == set(shipped.sources)


def test_the_shipped_protocol():
    """Facts of the published evaluation: thresholds, support grids, sizes and conventions."""
    study = load_study(CONFIG / "published.yaml")

    def of(checkpoint, name):
        return study.published_evaluation(checkpoint, name)[1]

    for checkpoint, threshold, grid in (
        ("cotracker2", 0.9, 5),
        ("cotracker2.1", 0.9, 5),
        ("cotracker3-online", 0.6, 0),
        ("cotracker3-offline", 0.6, 5),
    ):
        evaluation = of(checkpoint, "kinetics")
        assert (evaluation.visibility_threshold, evaluation.support_grid) == (threshold, grid)
        assert (evaluation.iterations, evaluation.coords, evaluation.video_side) == (6, "published", 256)
        assert evaluation.query_modes == ("first",)
    assert of("cotracker2", "davis").query_modes == ("first", "strided")
    assert of("cotracker2", "davis-singly").single_point
    replica = of("cotracker3-offline", "dynamic-replica-singly")
    assert (replica.support_grid, replica.coords, replica.video_side) == (5, "unshifted", None)
    assert replica.single_point
    assert replica.visibility_threshold == 0.6
    assert study.published.sets["dynamic-replica-singly"].max_frames == 300
