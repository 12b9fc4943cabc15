"""Interactive charts of a study, as Vega-Lite: what lies under the pointer is told, legends choose."""

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any

import altair as alt
import pandas as pd

from cotracker_pipeline.analysis.accuracy_table import Summary
from cotracker_pipeline.analysis.colours import PALETTE, component_colours
from cotracker_pipeline.analysis.evidence import METRICS, Prediction
from cotracker_pipeline.analysis.figures import case_label
from cotracker_pipeline.analysis.statistics import Interval
from cotracker_pipeline.analysis.timelines import coarser, phase_labels
from cotracker_pipeline.config import Study, Variant
from cotracker_pipeline.units import GB

WIDTH = 720
BAR = 24
"""Height of a bar in pixels."""
MOMENTS = 2
"""Of a timeline so many moments become one, the highest."""
KINDS = ("same numbers", "rounded otherwise", "learns otherwise")
"""What a variant changes: only how it is computed, the precision, or the recipe."""

Record = dict[str, Any]


def trade_off_chart(
    study: Study, predictions: Mapping[str, Prediction], summaries: Iterable[Summary]
) -> alt.HConcatChart:
    """Peak memory, and beside it the difference of accuracy to the baseline with its bootstrap interval."""
    measures = {one.subject: one.measures for one in summaries if one.query_mode == "first"}
    records = [_trade(study, one, measures[name]) for name, one in predictions.items() if name in measures]
    records.sort(key=lambda record: -record["peak"])
    kind = (
        alt.Color("kind:N").scale(domain=list(KINDS), range=list(PALETTE[:3])).title("against the baseline")
    )
    shape = alt.Shape("kind:N").scale(domain=list(KINDS)).title("against the baseline")
    names = alt.Y("variant:N").sort([record["variant"] for record in records]).title(None)
    shown = alt.selection_point(name="kinds", fields=["kind"], bind="legend")
    base = alt.Chart(alt.InlineData(values=records)).encode(
        y=names, color=kind, opacity=alt.when(shown).then(alt.value(1)).otherwise(alt.value(0.1))
    )
    tooltip = ["variant:N", "peak:Q", "AJ:Q", "difference:Q", "low:Q", "high:Q", "kind:N"]
    peak = alt.X("peak:Q").scale(type="log").title("peak training memory in GB (1e9 bytes), predicted")
    memory = base.mark_point(size=90, filled=True).encode(x=peak, shape=shape, tooltip=tooltip)
    metric = METRICS["average_jaccard"]
    difference = alt.X("difference:Q").title(f"{metric} minus that of the baseline, in points, query first")
    found = base.mark_point(size=90, filled=True).encode(x=difference, shape=shape, tooltip=tooltip)
    interval = base.mark_rule(strokeWidth=2).encode(x="low:Q", x2="high:Q")
    zero = alt.Chart(alt.InlineData(values=[{}])).mark_rule(strokeDash=[2, 2]).encode(x=alt.datum(0))
    height = BAR * len(records)
    left = alt.layer(memory).add_params(shown).properties(width=WIDTH // 2, height=height)
    right = alt.layer(zero, interval, found.encode(y=names.axis(None))).properties(
        width=WIDTH // 2, height=height
    )
    return alt.hconcat(left, right)


def _trade(study: Study, prediction: Prediction, measures: Mapping[str, Interval]) -> Record:
    none = Interval(0, 0, 0, 0, 0)
    metric, difference = measures["average_jaccard"], measures.get("average_jaccard_difference", none)
    points = {
        "AJ": metric.mean,
        "difference": difference.mean,
        "low": difference.low,
        "high": difference.high,
    }
    return {
        "variant": prediction.variant,
        "peak": round(prediction.peak_allocated_bytes / GB, 3),
        "kind": kind_of(study, study.variant(prediction.variant)),
        **{name: None if math.isnan(share) else round(100 * share, 2) for name, share in points.items()},
    }


def kind_of(study: Study, variant: Variant) -> str:
    """One of ``KINDS``, against the baseline."""
    baseline = study.variant("baseline")
    if variant.recipe != baseline.recipe:
        return KINDS[2]
    return KINDS[variant.strategy.precision != baseline.strategy.precision]


def memory_chart(predictions: Mapping[str, Prediction]) -> alt.LayerChart:
    """What the training peak of each variant consists of."""
    records = [
        {"variant": name, "component": component, "GB": round(size / GB, 3)}
        for name, one in predictions.items()
        for component, size in one.breakdown.items()
    ]
    totals = [
        {"variant": name, "GB": round(one.peak_allocated_bytes / GB, 2)} for name, one in predictions.items()
    ]
    y = alt.Y("variant:N").sort(list(predictions)).title(None)
    x = alt.X("GB:Q").title("peak allocated memory of a training step in GB (1e9 bytes), predicted")
    bars, shown = _stacked(
        alt.Chart(alt.InlineData(values=records)).mark_bar(), "parts", _components(predictions)
    )
    texts = (
        alt.Chart(alt.InlineData(values=totals)).mark_text(align="left", dx=4).encode(x=x, y=y, text="GB:Q")
    )
    return _sized(
        alt.layer(bars.encode(x=x.stack("zero"), y=y).add_params(shown), texts), BAR * len(predictions)
    )


def inference_chart(predictions: Mapping[str, Prediction]) -> alt.Chart:
    """The peak of tracking without gradients, by video length and track count."""
    cases = list(zip_longest(*(one.inference for one in predictions.values())))
    videos = [case_label([peak for peak in case if peak]) for case in cases]
    records = [
        {"variant": name, "video": video, "GB": round(peak.peak_allocated_bytes / GB, 3)}
        for name, one in predictions.items()
        for video, peak in zip(videos, one.inference, strict=False)
    ]
    shown = alt.selection_point(name="videos", fields=["video"], bind="legend")
    chart = (
        alt.Chart(alt.InlineData(values=records))
        .mark_point(filled=True, size=80)
        .encode(
            x=alt.X("GB:Q").title("peak allocated memory of inference in GB (1e9 bytes), predicted"),
            y=alt.Y("variant:N").sort(list(predictions)).title(None),
            color=alt.Color("video:N").scale(domain=videos, range=_colours(len(videos))).title("video"),
            shape=alt.Shape("video:N").scale(domain=videos).title("video"),
            opacity=alt.when(shown).then(alt.value(1)).otherwise(alt.value(0.1)),
            tooltip=["variant:N", "video:N", "GB:Q"],
        )
    )
    return _sized(chart.add_params(shown), BAR * len(predictions))


def timeline_chart(predictions: Mapping[str, Prediction]) -> alt.VConcatChart:
    """Memory over the step of the variant that is chosen below it, and its peak in words."""
    components = _components(predictions)
    chosen = alt.param(
        name="chosen",
        value=next(iter(predictions)),
        bind=alt.binding_select(options=list(predictions), name="variant: "),
    )
    of_chosen = "datum.variant == chosen"
    moments = [moment for one in predictions.values() for moment in _moments(one)]
    stack = (
        alt.Chart(alt.InlineData(values=moments))
        .transform_filter(of_chosen)
        .transform_fold(list(components), as_=["component", "GB"])
        .mark_area()
    )
    areas, shown = _stacked(stack, "live", components)
    areas = areas.encode(
        x=alt.X("event:Q").title("allocations and releases of one training step, in order"),
        y=alt.Y("GB:Q").stack("zero").title("live memory in GB (1e9 bytes), predicted"),
    )
    starts = [
        {"variant": name, "event": phase.start}
        for name, one in predictions.items()
        for phase in one.timeline.phases[1:]
    ]
    marks = (
        alt.Chart(alt.InlineData(values=starts))
        .transform_filter(of_chosen)
        .mark_rule(strokeDash=[2, 2])
        .encode(x="event:Q")
    )
    phases = [
        {"variant": name, "event": (start + end) // 2, "phase": phase}
        for name, one in predictions.items()
        for phase, start, end in phase_labels(one.timeline.phases, one.timeline.positions[-1])
    ]
    labels = (
        alt.Chart(alt.InlineData(values=phases))
        .transform_filter(of_chosen)
        .mark_text(y=-8)
        .encode(x="event:Q", text="phase:N")
    )
    words = [
        {"variant": name, "line": line, "row": row}
        for name, one in predictions.items()
        for row, line in enumerate(one.explanation)
    ]
    text = (
        alt.Chart(alt.InlineData(values=words))
        .transform_filter(of_chosen)
        .mark_text(align="left", limit=WIDTH + 180, x=-30, fontSize=11)
        .encode(y=alt.Y("row:O").axis(None), text="line:N", tooltip="line:N")
        .properties(width=WIDTH, height={"step": 18})
    )
    drawn = _sized(alt.layer(areas.add_params(shown), marks, labels), 360)
    return alt.vconcat(drawn, text).add_params(chosen).configure_view(stroke=None)


def _moments(prediction: Prediction) -> Iterator[Record]:
    timeline = coarser(prediction.timeline, MOMENTS)
    for place, event in enumerate(timeline.positions):
        sizes = {
            name: round(of_component[place] / GB, 3) for name, of_component in timeline.components.items()
        }
        yield {"variant": prediction.variant, "event": event, **sizes}


def loss_chart(losses: pd.DataFrame) -> alt.Chart:
    """Training loss, mean over seeds; a click in the legend chooses a variant."""
    means = losses.groupby(["variant", "step"], sort=False)["loss"].mean().round(4).reset_index()
    curves, shown = _curves(means, "losses")
    chart = curves.mark_line(point={"size": 20}).encode(
        y=alt.Y("loss:Q").scale(type="log", nice=False).title("training loss, mean over seeds"),
        tooltip=["variant:N", "step:Q", "loss:Q"],
    )
    return _sized(chart.add_params(shown), 340)


def validation_chart(validation: pd.DataFrame) -> alt.LayerChart:
    """Accuracy on the validation split, mean over seeds and each seed; the legend chooses a variant."""
    points = validation.rename(columns=METRICS).dropna()
    labels = list(METRICS.values())
    points[labels] = (100 * points[labels]).round(2)
    title = f"{labels[0]} on the validation split, in points"
    curves, shown = _curves(points, "validated")
    seeds = curves.mark_line(strokeWidth=0.5).encode(
        y=alt.Y(f"{labels[0]}:Q").scale(zero=False).title(title), detail="seed:N"
    )
    means = [f"mean({label}):Q" for label in labels]
    mean = curves.mark_line(point={"size": 30}).encode(
        y=alt.Y(means[0]).title(title), tooltip=["variant:N", "step:Q", *means]
    )
    return _sized(alt.layer(seeds, mean).add_params(shown), 340)


def _curves(rows: pd.DataFrame, name: str) -> tuple[alt.Chart, alt.Parameter]:
    """Something over the steps by variant, and the choice of variants in the legend, called ``name``."""
    variants = list(dict.fromkeys(rows["variant"]))
    shown = alt.selection_point(name=name, fields=["variant"], bind="legend", toggle="true")
    records = [{str(key): value for key, value in row.items()} for row in rows.to_dict("records")]
    chart = alt.Chart(alt.InlineData(values=records)).encode(
        x=alt.X("step:Q").title("step"),
        color=alt.Color("variant:N").scale(domain=variants, range=_colours(len(variants))),
        strokeDash=alt.StrokeDash("variant:N").scale(domain=variants, range=_dashes(len(variants))),
        opacity=alt.when(shown).then(alt.value(1)).otherwise(alt.value(0.08)),
    )
    return chart, shown


def _components(predictions: Mapping[str, Prediction]) -> dict[str, str]:
    return component_colours(dict.fromkeys(part for one in predictions.values() for part in one.breakdown))


def _stacked(chart: alt.Chart, name: str, components: Mapping[str, str]) -> tuple[alt.Chart, alt.Parameter]:
    """Coloured by component; the selection ``name`` of the legend chooses some."""
    shown = alt.selection_point(name=name, fields=["component"], bind="legend", toggle="true")
    ranked = chart.transform_calculate(rank=f"indexof({json.dumps(list(components))}, datum.component)")
    return ranked.encode(
        color=alt.Color("component:N")
        .scale(domain=list(components), range=list(components.values()))
        .title("component"),
        opacity=alt.when(shown).then(alt.value(1)).otherwise(alt.value(0.15)),
        order=alt.Order("rank:Q"),
        tooltip=["variant:N", "component:N", "GB:Q"],
    ), shown


def _colours(count: int) -> list[str]:
    return [PALETTE[index % len(PALETTE)] for index in range(count)]


def _dashes(count: int) -> list[Sequence[int]]:
    """Where colours come again, dashes tell the lines apart."""
    kinds: tuple[Sequence[int], ...] = ((1, 0), (6, 3), (2, 2), (8, 2, 2, 2))
    return [kinds[index // len(PALETTE) % len(kinds)] for index in range(count)]


def _sized(chart: Any, height: int) -> Any:
    return chart.properties(width=WIDTH, height=height)
