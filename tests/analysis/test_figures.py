"""Figures are drawn, say their scale, and are reproducible."""

from pathlib import Path
from xml.etree import ElementTree

import pytest
from matplotlib.figure import Figure

from cotracker_pipeline.analysis import figures, timelines
from cotracker_pipeline.analysis.budgets_figure import budgets_figure
from cotracker_pipeline.analysis.evidence import Budget, Evidence
from cotracker_pipeline.analysis.validation_figure import validation_figure
from cotracker_pipeline.config import Study

BUDGETS = [
    Budget(
        card_gib=card,
        allowed=allowed,
        rung="lean",
        fits=card == 24,
        smallest_card_bytes=9 * 10**9,
        peak_allocated_bytes=8 * 10**9,
        flops=30e12,
        plain_flops=24e12,
    )
    for card in (24, 6)
    for allowed in ((), ("bf16",))
]

DRAWN = {
    "memory": lambda study, evidence: figures.memory_figure(study, evidence.predictions),
    "inference": lambda study, evidence: figures.inference_figure(study, evidence.predictions),
    "trade-off": lambda study, evidence: figures.trade_off_figure(
        study, evidence.predictions, evidence.accuracy
    ),
    "loss": lambda study, evidence: figures.loss_figure(study, evidence.losses),
    "validation": lambda study, evidence: validation_figure(study, evidence.validation),
    "timeline": lambda study, evidence: timelines.timeline_figure(study, evidence.predictions["lean"]),
    "timelines": lambda study, evidence: timelines.timelines_figure(study, evidence.predictions),
    "budgets": lambda study, _: budgets_figure(study, BUDGETS),
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


def test_validation_curves_are_means_over_seeds_beside_each_seed(study: Study, evidence: Evidence) -> None:
    figure = validation_figure(study, evidence.validation)
    assert [axes.get_ylabel() for axes in figure.axes] == [
        f"{name} in points" for name in ("AJ", "δ avg", "OA")
    ]
    for axes in figure.axes:
        *seeds, mean = axes.lines[:4]
        assert mean.get_label() == "baseline"
        assert mean.get_xdata().tolist() == [10, 20]
        # accuracies of the made-up study in points: the mean of seeds that lie one point apart
        assert mean.get_ydata() == pytest.approx([15.5, 31])
        assert [one.get_ydata()[-1] for one in seeds] == pytest.approx([30, 31, 32])
        assert len(axes.lines) == 4 * 3


def test_a_timeline_names_its_tracks_phases_peak_and_holders(study: Study, evidence: Evidence) -> None:
    figure = timelines.timeline_figure(study, evidence.predictions["lean"])
    (axes,) = figure.axes
    assert axes.get_title().startswith("lean at the true size (144 tracks")
    labels = {text.get_text() for text in axes.texts}
    assert labels == {"forward", "backward", "clip, optimiser", "peak: 10.00 GB"}
    assert "10.00 GB (100.0 %): made-up.*." in words(figure)
    assert axes.get_legend_handles_labels()[1] == ["batch", "encoder", "transformer"]


def test_the_stack_of_a_timeline_ends_at_its_total(study: Study, evidence: Evidence) -> None:
    (axes,) = timelines.timeline_figure(study, evidence.predictions["lean"]).axes
    top = max(part.get_paths()[0].vertices[:, 1].max() for part in axes.collections)
    assert top == pytest.approx(10)


def test_timelines_of_all_variants_share_a_scale(study: Study, evidence: Evidence) -> None:
    figure = timelines.timelines_figure(study, evidence.predictions)
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ["baseline: 60.0 GB", "bf16: 40.0 GB", "lean: 10.0 GB"]
    limits = {axes.get_ylim() for axes in figure.axes}
    assert len(limits) == 1
    assert limits.pop()[1] > 60


def test_timelines_of_all_variants_keep_the_peaks(study: Study, evidence: Evidence) -> None:
    lean = evidence.predictions["lean"]
    sizes = (*range(1000, 1021), 5, 6)
    timeline = lean.timeline.model_copy(
        update={"positions": tuple(range(len(sizes))), "components": {"other": sizes}}
    )
    figure = timelines.timelines_figure(study, {"lean": lean.model_copy(update={"timeline": timeline})})
    points = figure.axes[0].collections[0].get_paths()[0].vertices
    assert points[:, 1].max() == pytest.approx(1020e-9)
    assert len(set(points[:, 0])) < len(sizes) / 2
    assert (points[:, 0].min(), points[:, 0].max()) == (0, len(sizes) - 1)


def test_budgets_say_what_does_not_fit(study: Study) -> None:
    labels = [text.get_text() for text in budgets_figure(study, BUDGETS).axes[0].texts]
    assert labels == ["lean, x 1.25", "nothing fits; leanest: lean"] * 2


def words(figure: Figure) -> str:
    axes = figure.axes[0]
    own = [axes.get_title(), axes.get_xlabel(), axes.get_ylabel()]
    return " ".join([*own, figure.get_suptitle(), figure.get_supxlabel()])
