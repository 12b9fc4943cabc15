"""Who holds a peak, and the sentences about it."""

import pytest
import torch
from hypothesis import given
from random_ledgers import cases
from small_steps import small_step
from torch import Tensor, nn

from cotracker_pipeline.memory.explanation import explain
from cotracker_pipeline.memory.holders import BETWEEN, EVERYTHING_ELSE, Holder, Part, peak_holders
from cotracker_pipeline.memory.ledger import Peak, Phase
from cotracker_pipeline.memory.modules import ModuleTrace
from cotracker_pipeline.memory.step import track_training_step
from cotracker_pipeline.memory.timeline import Timeline, timeline
from cotracker_pipeline.memory.tracker import MemoryTracker

KIB = 1024
#: Bytes of what one layer of the network below returns.
OUTPUT = 32 * KIB


@given(cases())
def test_holders_hold_the_peak_together(case):
    holders = peak_holders(case.ledger, case.calls)
    peak = max(sum(live.values()) for live in case.history)
    assert sum(holder.bytes for holder in holders) == peak
    assert all(holder.bytes > 0 for holder in holders)
    assert all(sum(part.bytes for part in holder.parts) <= holder.bytes for holder in holders)
    assert all(holder.calls >= holder.modules for holder in holders)
    assert [holder for holder in holders if holder.place == EVERYTHING_ELSE] in ([], [holders[-1]])


@pytest.mark.parametrize("name", ["baseline", "bf16", "checkpoint-both"])
def test_holders_hold_the_peak_of_a_step_together(name: str):
    tracker = track_training_step(small_step(name, "meta"))
    holders = peak_holders(tracker.ledger, tracker.calls)
    assert sum(holder.bytes for holder in holders) == tracker.peak.bytes


class Layer(nn.Module):
    """Two linear maps, or only the first."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.outer = nn.Linear(64, 64), nn.Linear(64, 64)

    def forward(self, x: Tensor) -> Tensor:
        return self.outer(self.inner(x))


class Network(nn.Module):
    """Three layers, called twice each, a chain of exponentials, and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Layer() for _ in range(3))
        self.head = nn.Linear(64, 64)

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(2):
            for layer in self.layers:
                x = layer(x)
        for _ in range(12):
            x = x.exp()
        return self.head(x) * x


class Wrapper(nn.Module):
    """Says nothing about what is in it."""

    def __init__(self) -> None:
        super().__init__()
        self.wrapped = Network()

    def forward(self, x: Tensor) -> Tensor:
        return self.wrapped(x)


def holders_of(model: nn.Module) -> list[Holder]:
    """At the end of a forward pass."""
    x = torch.zeros(128, 64)
    with ModuleTrace(model) as trace:
        tracker = MemoryTracker("cpu", trace.current, trace=trace)
        tracker.register("parameters", model.parameters())
        tracker.register("batch", [x])
        with tracker:
            model(x)
    return list(peak_holders(tracker.ledger, tracker.calls))


def test_modules_of_a_kind_are_one_holder_and_their_calls_are_counted():
    between, layers, parameters, *others = holders_of(Network())
    # the exponentials and the product
    assert between == Holder(BETWEEN, 13 * OUTPUT)
    # the backward pass needs what goes into a linear map; the last result only goes into an exponential
    parts = (Part("inner", 6 * OUTPUT), Part("outer", 5 * OUTPUT))
    assert layers == Holder("layers.*", 11 * OUTPUT, 3, 6, parts)
    # seven matrices and biases
    assert parameters == Holder("parameters", 7 * (16 * KIB + 512))
    assert others == [Holder("batch", OUTPUT), Holder("head", OUTPUT, 1, 1)]


TIMELINE = Timeline(
    (0, 50, 100, 200), {"other": (1, 3, 9, 2)}, (Phase("forward", 0, 99), Phase("clip", 99, 200))
)


def sentences(*holders: Holder, module: str = "head") -> tuple[str, ...]:
    return explain(Peak(2 * 10**9, {}, "clip", module, "aten.mm.default"), TIMELINE, holders)


def test_the_first_sentence_says_when_and_where():
    assert sentences() == (
        "2.00 GB are live at the peak, at the beginning of the phase clip, "
        "while head computes aten.mm.default.",
    )
    assert sentences(module="")[0].endswith("while aten.mm.default is computed.")


@pytest.mark.parametrize(
    ("position", "words"),
    [
        (2, "at the beginning of the forward pass"),
        (50, "in the forward pass"),
        (99, "at the end of the forward"),
    ],
)
def test_the_place_in_a_phase(position: int, words: str):
    moved = TIMELINE._replace(positions=(0, position, 150, 200), components={"other": (1, 9, 2, 2)})
    assert words in explain(Peak(10**9, {}, "", "", "register"), moved, ())[0]


@pytest.mark.parametrize(
    ("holder", "sentence"),
    [
        (Holder("batch", 10**9), "1.00 GB (50.0 %): batch."),
        (Holder("head", 10**9, 1, 1), "1.00 GB (50.0 %): head (1 call)."),
        (Holder("head", 10**9, 1, 4), "1.00 GB (50.0 %): head (4 calls)."),
        (Holder("layers.*", 10**9, 3, 6), "1.00 GB (50.0 %): layers.* (3 modules x 2 calls)."),
        (Holder("layers.*", 10**9, 3, 7), "1.00 GB (50.0 %): layers.* (3 modules, 7 calls)."),
        (
            Holder("head", 10**9, 1, 1, (Part("mlp", 6 * 10**8), Part("attn", 2 * 10**8))),
            "1.00 GB (50.0 %): head (1 call), of which mlp 0.60 GB, attn 0.20 GB.",
        ),
    ],
)
def test_a_sentence_a_holder(holder: Holder, sentence: str):
    assert sentences(holder)[1:] == (sentence,)


def test_large_modules_are_told_apart_by_their_parts():
    rest, layers, *others = holders_of(Wrapper())
    assert rest == Holder("the rest of wrapped", 13 * OUTPUT, 1, 1)
    assert (layers.place, layers.modules, layers.calls) == ("wrapped.layers.*", 3, 6)
    assert [holder.place for holder in others] == ["parameters", "batch", "wrapped.head"]


def test_a_part_that_is_only_a_number_is_not_named():
    network = Network()
    network.head = nn.Sequential(nn.Linear(64, 64), nn.Linear(64, 64))
    head = next(holder for holder in holders_of(network) if holder.place == "head")
    assert head == Holder("head", 2 * OUTPUT, 1, 1)


@pytest.mark.parametrize(
    ("size", "words"), [(1_500_000, "1.50 MB are live"), (1500, "1.50 kB are live"), (15, "0.01 kB are live")]
)
def test_smaller_units(size: int, words: str):
    first, second = explain(Peak(size, {}, "", "", "register"), TIMELINE, [Holder("batch", size)])
    assert first.startswith(words)
    assert second == f"{words.removesuffix(' are live')} (100.0 %): batch."


def test_the_words_of_a_step_are_about_its_peak():
    tracker = track_training_step(small_step("baseline", "meta"))
    holders = peak_holders(tracker.ledger, tracker.calls)
    first, *others = explain(tracker.peak, timeline(tracker.ledger), holders)
    assert first.startswith(f"{tracker.peak.bytes / 1e6:.2f} MB are live at the peak, ")
    assert len(others) == len(holders)
