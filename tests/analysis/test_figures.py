"""Figures are drawn, say their scale, and are reproducible."""

from pathlib import Path
from xml.etree import ElementTree

import pytest
from matplotlib.figure import Figure

from cotracker_pipeline.analysis import figures
from cotracker_pipeline.analysis.evidence import Evidence
from cotracker_pipeline.config import Study

DRAWN = {
    "memory": lambda study, evidence: figures.memory_figure(study, evidence.predictions),
    "inference": lambda study, evidence: figures.inference_figure(study, evidence.predictions),
    "trade-off": lambda study, evidence: figures.trade_off_figure(
        study, evidence.predictions, evidence.accuracy
    ),
    "loss": lambda study, evidence: figures.loss_figure(study, evidence.losses),
}


@pytest.mark.parametrize("draw", DRAWN.values(), ids=DRAWN)
def test_same_evidence_gives_the_same_file(draw, study: Study, evidence: Evidence, tmp_path: Path) -> None:
    paths = [tmp_path / "first.svg", tmp_path / "second.svg"]
    for path in paths:
        figures.save_svg(draw(study, evidence), path)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert ElementTree.parse(paths[0]).getroot().tag.endswith("svg")
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("draw", DRAWN.values(), ids=DRAWN)
def test_every_figure_names_its_scale(draw, study: Study, evidence: Evidence) -> None:
    assert "true size" in words(draw(study, evidence)) or "small scale" in words(draw(study, evidence))


def test_trade_off_names_both_scales(study: Study, evidence: Evidence) -> None:
    text = words(figures.trade_off_figure(study, evidence.predictions, evidence.accuracy))
    assert "true size" in text
    assert "small scale" in text


def words(figure: Figure) -> str:
    axes = figure.axes[0]
    return " ".join([axes.get_title(), axes.get_xlabel(), axes.get_ylabel()])
