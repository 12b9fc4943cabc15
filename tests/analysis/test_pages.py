"""The pages of the report, in a browser where there is one."""

import dataclasses
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from browser import opened

from cotracker_pipeline.analysis import pages
from cotracker_pipeline.analysis.accuracy_table import accuracy_summaries
from cotracker_pipeline.analysis.chart_page import chart_page, figures
from cotracker_pipeline.analysis.charts import KINDS, kind_of
from cotracker_pipeline.analysis.clips import MOST_FRAMES, clips_page
from cotracker_pipeline.analysis.colours import ON_VIDEO
from cotracker_pipeline.analysis.evidence import (
    Evidence,
    read_budgets,
    read_measurements,
)
from cotracker_pipeline.analysis.example import Example
from cotracker_pipeline.analysis.front_page import Answers, front_page
from cotracker_pipeline.analysis.scenes import Scene, scenes_page
from cotracker_pipeline.config import Study

ROWS = pd.DataFrame(
    {
        "variant": ["tracks-9", "tracks-10", "bf16"],
        "peak GB": ["9.50", "61.90", "10.00"],
        "Δ AJ": ["+0.1 [-0.8, +1.0]", "", "-1.5 [-2.0, -1.0]"],
    }
)


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        (tmp_path / "page.html").write_text(text, encoding="utf-8")
        return tmp_path / "page.html"

    return write


@pytest.mark.parametrize(
    ("column", "rising", "falling"),
    [
        (0, ["bf16", "tracks-9", "tracks-10"], ["tracks-10", "tracks-9", "bf16"]),
        (1, ["tracks-9", "bf16", "tracks-10"], ["tracks-10", "bf16", "tracks-9"]),
        (2, ["bf16", "tracks-9", "tracks-10"], ["tracks-9", "bf16", "tracks-10"]),
    ],
    ids=["texts", "numbers", "empty cells last"],
)
def test_a_click_on_a_header_sorts(
    column: int, rising: list[str], falling: list[str], written: Callable[[str], Path]
) -> None:
    with opened(written(pages.page("rows", pages.table(ROWS)))) as page:
        for expected, state in ((rising, "ascending"), (falling, "descending")):
            page.locator("th button").nth(column).click()
            assert page.locator("tbody td:first-child").all_inner_texts() == expected
            assert page.locator("th").nth(column).get_attribute("aria-sort") == state


def test_every_figure_is_drawn(study: Study, evidence: Evidence, written: Callable[[str], Path]) -> None:
    with opened(written(chart_page(study, evidence))) as page:
        page.wait_for_function("document.querySelectorAll('figure svg.marks').length == 6")
        assert page.locator("figcaption").count() == 6
        assert "60.00 GB are live at the peak." in page.locator("#chart-2 svg.marks").inner_html()
        page.locator("select").select_option("lean")
        page.locator("#chart-2 svg.marks", has_text="10.00 GB are live at the peak.").wait_for()


def test_figures_name_their_scale_and_are_reproducible(study: Study, evidence: Evidence) -> None:
    assert all("true size" in one.caption or "small scale" in one.caption for one in figures(study, evidence))
    assert chart_page(study, evidence) == chart_page(study, evidence)


def test_figures_have_the_measured_numbers(study: Study, evidence: Evidence) -> None:
    trade_off = data_of(figures(study, evidence)[0].chart)
    lean = next(row for row in trade_off if row.get("variant") == "lean")
    assert lean["peak"] == 10
    assert lean["difference"] == pytest.approx(-15, abs=0.5)
    assert lean["low"] <= lean["difference"] <= lean["high"]
    peaks = [row["GB"] for row in data_of(figures(study, evidence)[1].chart) if row.get("component")]
    assert sum(peaks) == pytest.approx(60 + 40 + 10)
    ends = [row["AJ"] for row in data_of(figures(study, evidence)[5].chart) if row["step"] == 20]
    assert ends == pytest.approx([30, 31, 32, 29, 30, 31, 15, 16, 17])


def test_a_study_that_is_not_validated_has_no_such_figure(study: Study, evidence: Evidence) -> None:
    plain = dataclasses.replace(evidence, validation=evidence.validation.iloc[:0])
    titles = [[one.title for one in figures(study, each)] for each in (evidence, plain)]
    assert titles == [[*titles[1], "Accuracy over the training"], titles[1]]


def data_of(chart: Any) -> list[dict[str, Any]]:
    """All records that a chart draws."""
    return [record for records in chart.to_dict()["datasets"].values() for record in records]


def test_kinds_of_variants(study: Study) -> None:
    kinds = [kind_of(study, study.variant(name)) for name in ("baseline", "bf16", "lean")]
    assert kinds == list(KINDS)


def answers(evidence: Evidence, results: Path, **changes: Any) -> Answers:
    first = evidence.accuracy[evidence.accuracy["query_mode"] == "first"]
    verdicts = pd.DataFrame(
        {
            "claim": ["a", "b", "b"],
            "statement": ["It saves <half>.", "It costs little.", "It costs little."],
            "verdict": ["holds", "not decided", "not decided"],
        }
    )
    return Answers(
        read_budgets(results / "memory/budgets.json"),
        evidence.predictions,
        [],
        accuracy_summaries(first, evidence.floors.iloc[:0]),
        3,
        verdicts,
    )._replace(**changes)


def text_of(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.partition("</style>")[2]))


def test_the_front_page_answers_for_every_card(study: Study, evidence: Evidence, results: Path) -> None:
    text = text_of(front_page(study, answers(evidence, results)))
    assert "A card of 80 GB trains all 768 tracks with plain : 12.0 GB, 1.00 times the operations" in text
    assert "6 GB nothing fits; leanest: lean 12.0 of 6.4 GB" in text
    assert "6 GB bf16, lean 6.0 of 6.4 GB 1.25 times the operations" in text


def test_the_front_page_says_how_sure_it_is(study: Study, evidence: Evidence, results: Path) -> None:
    measured = read_measurements(sorted(results.glob("memory/measured/*.json")))
    predicted = front_page(study, answers(evidence, results))
    assert "predicted without a GPU, not measured" in predicted
    assert "measured on Made-up GPU within 2.0 %" in front_page(
        study, answers(evidence, results, measured=measured)
    )
    assert "from 3 seeds; differences below" in text_of(predicted)
    assert "holds 1, not decided 1" in predicted
    assert predicted.count("It costs little.") == 1
    assert "It saves &lt;half&gt;." in predicted


def test_a_study_without_claims_has_a_front_page(study: Study, evidence: Evidence, results: Path) -> None:
    assert "claims" not in text_of(front_page(study, answers(evidence, results, verdicts=None)))


def test_the_front_page_may_stand_inside_of_a_script(study: Study, evidence: Evidence, results: Path) -> None:
    """Snakemake puts it there, as a text."""
    assert "</script" not in front_page(study, answers(evidence, results)).lower()


SIDE, FRAMES = 48, 3


def example(predicted: float, visible: bool = True) -> Example:
    """One track at (24, 24) of a black video, predicted at (``predicted``, 24)."""
    truth = np.full((1, FRAMES, 2), 24.0)
    answer = np.full((1, FRAMES, 2), 24, np.float32)
    answer[..., 0] = predicted
    answer[0, 0] = np.nan
    flags = np.full((1, FRAMES), True)
    return Example(np.zeros((FRAMES, SIDE, SIDE, 3), np.uint8), truth, flags & visible, answer, flags)


#: The colours at a place in pixels of the video, one a picture.
CANVAS = """([x, y, side]) => [...document.querySelectorAll("canvas")].map((canvas) => {
  const scale = canvas.width / side;
  return [...canvas.getContext("2d").getImageData(x * scale, y * scale, 1, 1).data].slice(0, 3);
})"""


def test_the_player_draws_prediction_and_truth_where_they_are(written: Callable[[str], Path]) -> None:
    of_variants = {"baseline": example(12), "exact": example(24)}
    path = written(clips_page([of_variants], ["one"]))
    with opened(path) as page:
        slider = page.locator("input[type=range]")
        slider.fill("2")
        page.wait_for_function("document.body.innerText.includes('frame 3 of 3')")
        colour = [int(ON_VIDEO[0][place : place + 2], 16) for place in (1, 3, 5)]
        assert page.evaluate(CANVAS, [12, 24, SIDE])[0] == colour
        assert min(page.evaluate(CANVAS, [24, 24, SIDE])[0]) > 200
        assert page.evaluate(CANVAS, [24, 24, SIDE])[1] == colour
        assert page.locator("figure").nth(0).inner_text().endswith("mean error 12.0 pixels")
        page.get_by_label("truth").uncheck()
        assert max(page.evaluate(CANVAS, [24, 24, SIDE])[0]) < 10
        slider.fill("0")
        assert max(page.evaluate(CANVAS, [12, 24, SIDE])[0]) < 10


def test_the_player_has_every_variant_of_every_clip() -> None:
    text = clips_page([{"a": example(1), "b": example(2)}] * 2, ["one", "<two>"])
    videos = json.loads(re.search(r'id="clips">(.*?)</script>', text)[1])["videos"]
    assert [video["name"] for video in videos] == ["one", "<two>"]
    assert videos[0]["variants"]["b"]["tracks"][0] == [None, [0.0417, 0.5], [0.0417, 0.5]]
    assert videos[0]["visible"] == ["111"]
    assert len(videos[0]["frames"]) == FRAMES <= MOST_FRAMES


def test_scenes_show_points_where_they_are(written: Callable[[str], Path]) -> None:
    frames = np.zeros((2, SIDE, SIDE, 3), np.uint8)
    tracks = np.full((2, 2, 2), 24.0)
    tracks[1] = 12.0
    visible = np.array([[True, True], [False, False]])
    scene = Scene("a<b", frames, np.array([0, 5]), tracks, visible, "facts")
    with opened(written(scenes_page({"Training": [scene]}))) as page:
        circles = page.locator("circle")
        assert circles.count() == 4
        assert [circles.nth(0).get_attribute(name) for name in ("cx", "cy", "fill")] == [
            "24.0",
            "24.0",
            ON_VIDEO[0],
        ]
        assert circles.nth(1).get_attribute("fill") == "none"
        assert page.locator("figcaption").inner_text() == "a<b: facts"
        assert page.evaluate(
            "[...document.querySelectorAll('image')].every((one) => one.getBBox().width == 48)"
        )
