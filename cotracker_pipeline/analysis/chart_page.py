"""The page of interactive figures: one copy of the library for all of them, and nothing from a network."""

import html
from collections.abc import Iterable
from typing import Any, NamedTuple

import altair as alt
import vl_convert

from cotracker_pipeline.analysis import pages
from cotracker_pipeline.analysis.accuracy_table import accuracy_summaries
from cotracker_pipeline.analysis.charts import (
    inference_chart,
    loss_chart,
    memory_chart,
    timeline_chart,
    trade_off_chart,
    validation_chart,
)
from cotracker_pipeline.analysis.evidence import Evidence
from cotracker_pipeline.analysis.scales import trained_size, true_size
from cotracker_pipeline.analysis.scripts import script
from cotracker_pipeline.config import Study


class Figure(NamedTuple):
    """A chart with its heading and caption."""

    title: str
    chart: Any
    caption: str


def chart_page(study: Study, evidence: Evidence) -> str:
    """All figures below each other."""
    drawn = list(enumerate(figures(study, evidence)))
    body = ["<h1>Interactive figures</h1>", *(_figure(number, one) for number, one in drawn)]
    return pages.page(f"Study {study.study}: figures", "\n".join(body), _scripts(one for _, one in drawn))


def figures(study: Study, evidence: Evidence) -> list[Figure]:
    """What the page shows, in this order."""
    memory = f"Memory at the {true_size(study)}, predicted."
    accuracy = f"Accuracy at {trained_size(study)}."
    predictions = evidence.predictions
    return [
        Figure(
            "Accuracy against memory",
            trade_off_chart(study, predictions, accuracy_summaries(evidence.accuracy, evidence.floors)),
            f"{memory} {accuracy} Lines: 95 % bootstrap interval of the paired difference over videos and "
            "seeds; point at a mark for its numbers. “Same numbers” are exact strategies, which differ from "
            "the baseline by rounding only.",
        ),
        Figure(
            "What the training peak consists of",
            memory_chart(predictions),
            f"{memory} A click in the legend picks out components, a double click shows all again.",
        ),
        Figure(
            "Memory over the training step",
            timeline_chart(predictions),
            f"{memory} Choose a variant above the figure. Horizontally: allocations and releases in order, "
            "which is not time. Below: the peak in words; * stands for the indices of modules of one kind.",
        ),
        Figure(
            "Memory of inference",
            inference_chart(predictions),
            f"{memory} Tracking a video without gradients.",
        ),
        Figure(
            "Training loss",
            loss_chart(evidence.losses),
            f"{accuracy} A click in the legend picks out variants, a double click shows all again. Losses of "
            "different recipes cannot be compared.",
        ),
        *([] if evidence.validation.empty else [_validation(evidence, accuracy)]),
    ]


def _validation(evidence: Evidence, scale: str) -> Figure:
    return Figure(
        "Accuracy over the training",
        validation_chart(evidence.validation),
        f"{scale} On the validation split, whose videos no other number of this study is about; thin lines: "
        "single seeds. A click in the legend picks out variants, a double click shows all again.",
    )


def _figure(number: int, figure: Figure) -> str:
    return (
        f'<h2>{html.escape(figure.title)}</h2>\n<figure><div id="chart-{number}"></div>\n'
        f"<figcaption>{html.escape(figure.caption)}</figcaption></figure>"
    )


def _scripts(drawn: Iterable[Figure]) -> str:
    library = vl_convert.javascript_bundle(_EMBED, vl_version=_version())
    return script("charts", [figure.chart.to_dict() for figure in drawn], library)


def _version() -> str:
    """Of Vega-Lite, which Altair writes: "v6.4.1" as "6.4"."""
    return ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])


_EMBED = """
const charts = JSON.parse(document.getElementById("charts").textContent);
const options = { renderer: "svg", actions: { export: true, source: false, compiled: false, editor: false } };
charts.forEach((chart, number) => vegaEmbed(`#chart-${number}`, chart, options));
"""
