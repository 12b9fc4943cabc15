"""Steps tracked with repeated parts against the same steps run in full: all events, the peak, the FLOPs."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from unittest.mock import patch

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_models import SMALL_OF
from torch import Tensor, nn

from cotracker_pipeline.config import Strategy
from cotracker_pipeline.memory import step as stepping
from cotracker_pipeline.memory.assembly import assemble_step, blank_batch
from cotracker_pipeline.memory.modules import NO_CALL
from cotracker_pipeline.memory.repetition import parts
from cotracker_pipeline.memory.repetition.call import Call
from cotracker_pipeline.memory.step import Batch, TrainingStep, track_inference, track_training_step
from cotracker_pipeline.memory.tracker import MemoryTracker, call
from cotracker_pipeline.models.build import build_model
from cotracker_pipeline.models.precision import autocast
from cotracker_pipeline.models.recomputation import recompute
from cotracker_pipeline.rungs import RUNGS

VARIANTS = {
    "plain": ({}, {}),
    "bf16": ({}, {"precision": "bf16"}),
    "checkpoint-encoder": ({}, {"checkpoint": ("encoder",)}),
    "checkpoint-transformer": ({}, {"checkpoint": ("transformer",)}),
    "checkpoint-both": ({}, {"checkpoint": ("encoder", "transformer")}),
    "bf16-checkpoint-both": ({}, {"precision": "bf16", "checkpoint": ("encoder", "transformer")}),
    "no-attention-mask": ({"use_attention_mask": False}, {}),
    "published-loss": ({"loss": "published"}, {}),
    "fused": ({}, {"attention": "fused"}),
    "local": ({}, {"correlation": "local"}),
    "local-bf16-checkpoint": (
        {},
        {"correlation": "local", "precision": "bf16", "checkpoint": ("encoder", "transformer")},
    ),
    "encoder-chunk": ({}, {"encoder_chunk": 3}),
    "encoder-chunk-local-checkpoint": (
        {},
        {"encoder_chunk": 1, "correlation": "local", "checkpoint": ("encoder",)},
    ),
    "bf16-encoder-chunk": ({}, {"precision": "bf16", "encoder_chunk": 5, "checkpoint": ("encoder",)}),
    "skip-unused": ({}, {"skip_unused": True}),
    "gelu": ({}, {"checkpoint": ("gelu",)}),
    "block-hidden": ({}, {"checkpoint": ("block", "hidden")}),
    "iteration": ({}, {"checkpoint": ("iteration",)}),
    "bf16-iteration-stage": ({}, {"precision": "bf16", "checkpoint": ("iteration", "stage", "gelu")}),
    "bf16-fused": ({}, {"precision": "bf16", "attention": "fused"}),
    **{name: ({}, dict(keys)) for name, keys in RUNGS.items()},
    **{f"bf16-{name}": ({}, {"precision": "bf16", **keys}) for name, keys in RUNGS.items()},
}


@contextmanager
def counting() -> Iterator[list[str]]:
    """Yields the names of the parts that are repeated, one for each call."""
    names: list[str] = []
    forward = Call.forward

    def counted(self: Call) -> Tensor:
        name = self.repeated.part.name
        names.append(name if isinstance(name, str) else name.__name__)
        return forward(self)

    with patch.object(Call, "forward", counted):
        yield names


def in_full(track: Callable[[], MemoryTracker]) -> MemoryTracker:
    """Track without repeating anything and without remembering any operator."""
    with (
        patch.object(stepping, "Repetition", lambda *_: nullcontext()),
        patch.object(stepping, "_META_KERNELS", call),
    ):
        return track()


def check_equal(fast: MemoryTracker, full: MemoryTracker) -> None:
    assert len(fast.events) == len(full.events)
    for place, (ours, theirs) in enumerate(zip(fast.events, full.events, strict=True)):
        assert ours == theirs, place
    assert (fast.peak, fast.flops, fast.live_bytes) == (full.peak, full.flops, full.live_bytes)
    assert fast.ledger.relabellings == full.ledger.relabellings
    assert fast.ledger.phases == full.ledger.phases
    for block, (ours, theirs) in enumerate(zip(described(fast), described(full), strict=True)):
        assert ours == theirs, block


def described(tracker: MemoryTracker) -> list[tuple[str, list[tuple[str, int]]]]:
    """Of every block the component and, from the inside, the module and number of each call that it is part
    of; calls are numbered in the order in which blocks name them.
    """
    numbers: dict[int, int] = {}

    def calls(number: int) -> Iterator[tuple[str, int]]:
        while number != NO_CALL:
            module, part_of = tracker.calls[number]
            yield module, numbers.setdefault(number, len(numbers))
            number = part_of

    notes = tracker.ledger.notes
    return [(notes[block].component, list(calls(notes[block].call))) for block in sorted(notes)]


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_training_step(variant, small_recipe, small_clip, small_model):
    recipe, strategy = VARIANTS[variant]
    steps = [
        assemble_step(
            small_recipe.model_copy(update=recipe), Strategy(**strategy), small_clip, small_model, "meta"
        )
        for _ in range(2)
    ]
    with counting() as repeated:
        fast = track_training_step(steps[0])
    check_equal(fast, in_full(lambda: track_training_step(steps[1])))
    # two windows of two iterations, of which the first is run
    assert max(Counter(repeated).values()) >= 3


@pytest.mark.parametrize("architecture", ["cotracker3-online", "cotracker3-offline"])
@pytest.mark.parametrize(
    "variant", ["plain", "bf16", "local-bf16-checkpoint", "fast", "lean", "bf16-fast", "bf16-minimal"]
)
def test_a_training_step_of_cotracker3(variant, architecture, small_recipe, small_clip):
    recipe, strategy = VARIANTS[variant]
    steps = [
        assemble_step(
            small_recipe.model_copy(update=recipe),
            Strategy(**strategy),
            small_clip,
            SMALL_OF[architecture],
            "meta",
        )
        for _ in range(2)
    ]
    with counting() as repeated:
        fast = track_training_step(steps[0])
    check_equal(fast, in_full(lambda: track_training_step(steps[1])))
    assert repeated


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_inference(precision, small_recipe, small_clip, small_model):
    with torch.device("meta"):
        networks = [build_model(small_model, small_recipe, Strategy(precision=precision)) for _ in range(2)]
    batch = blank_batch(small_clip, 50, "meta")
    with counting() as repeated:
        fast = track_inference(networks[0], batch.video, batch.queries, iterations=3)
    check_equal(fast, in_full(lambda: track_inference(networks[1], batch.video, batch.queries, iterations=3)))
    assert {"updateformer", "correlation"} <= set(repeated)


WIDTH = 64


class Pair(nn.Module):
    """Two inputs, of which either may be shared."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return torch.tanh(self.left(x)) * self.right(y)


class Keeping(nn.Linear):
    """Keeps something of every call."""

    def __init__(self) -> None:
        super().__init__(WIDTH, WIDTH)
        self.kept: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        self.kept.append(2 * x.detach())
        return super().forward(x)


class Toy(nn.Module):
    """Does ``actions`` to an input, at ``precision``."""

    def __init__(self, actions: tuple[str, ...], precision: str) -> None:
        super().__init__()
        self.actions = actions
        self.precision = precision
        self.start = nn.Linear(WIDTH, WIDTH)
        self.part = nn.Sequential(
            nn.Linear(WIDTH, 3 * WIDTH), nn.GELU(), nn.LayerNorm(3 * WIDTH), nn.Linear(3 * WIDTH, WIDTH)
        )
        self.pair = Pair()
        self.keeping = Keeping()

    def forward(self, x: Tensor) -> Tensor:
        with autocast(self.precision, x.device):
            x = start = self.start(x)
            for action in self.actions:
                x = getattr(self, f"do_{action}")(x, start)
        return x

    def do_part(self, x: Tensor, _: Tensor) -> Tensor:
        return self.part(x)

    def do_part_at_low_precision(self, x: Tensor, _: Tensor) -> Tensor:
        with autocast("bf16", x.device):
            return self.part(x).float()

    def do_part_of_other_shape(self, x: Tensor, _: Tensor) -> Tensor:
        return self.part(torch.cat([x, x]))[: len(x)]

    def do_part_in_place(self, x: Tensor, _: Tensor) -> Tensor:
        return self.part(x).mul_(2)

    def do_part_transposed(self, x: Tensor, _: Tensor) -> Tensor:
        return self.part(x).sin().T.contiguous().T

    def do_part_for_nothing(self, x: Tensor, _: Tensor) -> Tensor:
        self.part(x)
        return x

    def do_part_under_hooks(self, x: Tensor, _: Tensor) -> Tensor:
        with torch.autograd.graph.saved_tensors_hooks(lambda saved: saved, lambda saved: saved):
            return self.part(x)

    def do_residual(self, x: Tensor, _: Tensor) -> Tensor:
        return x + self.part(x)

    def do_pair(self, x: Tensor, start: Tensor) -> Tensor:
        return self.pair(x.cos(), start)

    def do_pair_of_same(self, x: Tensor, _: Tensor) -> Tensor:
        return self.pair(x, x)

    def do_keeping(self, x: Tensor, _: Tensor) -> Tensor:
        return self.keeping(x)

    def do_recompute(self, x: Tensor, _: Tensor) -> Tensor:
        return recompute(self.twice, x)

    def do_recompute_nested(self, x: Tensor, _: Tensor) -> Tensor:
        return recompute(self.outer, x)

    def do_recompute_function(self, x: Tensor, _: Tensor) -> Tensor:
        return recompute(lambda y: self.twice(y), x)

    def do_detach(self, x: Tensor, start: Tensor) -> Tensor:
        return x.detach() * start

    def twice(self, x: Tensor) -> Tensor:
        # as a recomputation is outside of what was around it
        with autocast(self.precision, x.device):
            return self.part(self.part(x).sin())

    def outer(self, x: Tensor) -> Tensor:
        return recompute(self.twice, recompute(self.twice, x))


ACTIONS = [name.removeprefix("do_") for name in dir(Toy) if name.startswith("do_")]


def toy_step(actions: tuple[str, ...], precision: str) -> TrainingStep:
    with torch.device("meta"):
        model = Toy(actions, precision)
        batch = Batch(torch.zeros(50, WIDTH), *torch.zeros(4, 1))
    optimiser = torch.optim.AdamW(model.parameters())
    return TrainingStep(model, batch, lambda model, batch: model(batch.video).square().sum(), optimiser, 1.0)


def check_toy(actions: tuple[str, ...], precision: str = "fp32") -> list[str]:
    """Compare the toy's step, and return the parts that were repeated, those in vain included."""
    steps = [toy_step(actions, precision) for _ in range(2)]
    with counting() as repeated, patch.object(parts, "LEAST_EVENTS_WITH_GRAPH", 0):
        fast = track_training_step(steps[0])
    check_equal(fast, in_full(lambda: track_training_step(steps[1])))
    return repeated


@pytest.mark.parametrize(
    ("action", "part"),
    [
        ("part", "part"),
        ("part_of_other_shape", "part"),
        ("part_in_place", "part"),
        ("pair", "pair"),
        ("recompute", "twice"),
        ("recompute_nested", "outer"),
    ],
)
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_four_times_the_same_is_run_once(action, part, precision):
    assert check_toy((action,) * 4, precision) == [part] * 3


@pytest.mark.parametrize("action", ["part_under_hooks", "pair_of_same", "keeping", "recompute_function"])
def test_what_may_differ_each_time_is_run(action):
    assert check_toy((action,) * 4) == []


@pytest.mark.parametrize("action", ["residual", "part_for_nothing"])
def test_what_is_repeated_in_vain_is_run_in_the_end(action):
    """Others add to the same gradient, or no gradient comes."""
    assert check_toy((action,) * 4)


def test_one_part_in_many_places():
    repeated = check_toy(("part", "recompute", "part_of_other_shape") * 3)
    assert (repeated.count("part"), repeated.count("twice")) == (4, 2)


@pytest.mark.parametrize("last", ["part_at_low_precision", "part_of_other_shape"])
def test_a_part_that_is_repeated_and_then_called_otherwise(last):
    check_toy(("part", "part_in_place", last))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(ACTIONS), min_size=1, max_size=8), st.sampled_from(["fp32", "bf16"]))
def test_any_sequence_is_exact(actions, precision):
    check_toy(tuple(actions), precision)
