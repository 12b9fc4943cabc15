"""The peak memory of a training step and of inference, predicted on meta tensors: no GPU, no allocation."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch

from cotracker_pipeline.config import Card, Clip, ModelSize, Recipe, Strategy
from cotracker_pipeline.errors import UserError
from cotracker_pipeline.memory.allocator import CachingAllocator
from cotracker_pipeline.memory.assembly import assemble_step, blank_batch
from cotracker_pipeline.memory.explanation import explain
from cotracker_pipeline.memory.holders import Holder, peak_holders
from cotracker_pipeline.memory.ledger import Peak
from cotracker_pipeline.memory.reservation import library_blocks, reservation
from cotracker_pipeline.memory.step import track_inference, track_training_step
from cotracker_pipeline.memory.timeline import Timeline, timeline
from cotracker_pipeline.models.build import build_model


class Prediction(NamedTuple):
    """The memory of one training step.

    Attributes:
        peak: most bytes in live storages (each rounded up to 512 bytes), where and by what.
        peak_blocks_bytes: the same in whole blocks of the allocator, about 1 % more, and with cuBLAS's
            workspaces; this is what ``torch.cuda.max_memory_allocated`` reports.
        peak_reserved_bytes: most bytes that the caching allocator reserves when nothing limits it.
        smallest_card_bytes: least memory of a card on which the step runs, ``allowance_bytes`` included.
        allowance_bytes: what context and libraries were assumed to take, inside of the allocator or not.
        flops: operations of matrix products and convolutions, recomputed ones included.
        timeline: live bytes over the step.
        holders: what holds the bytes at the peak.
    """

    peak: Peak
    peak_blocks_bytes: int
    peak_reserved_bytes: int
    smallest_card_bytes: int
    allowance_bytes: int
    flops: int
    timeline: Timeline
    holders: tuple[Holder, ...]

    @property
    def peak_allocated_bytes(self) -> int:
        """Bytes allocated at the peak."""
        return self.peak.bytes

    @property
    def breakdown(self) -> dict[str, int]:
        """Component to bytes at the peak."""
        return self.peak.breakdown

    @property
    def explanation(self) -> tuple[str, ...]:
        """The peak in words."""
        return explain(self.peak, self.timeline, self.holders)


class InferencePeak(NamedTuple):
    """The memory of tracking one video.

    Attributes:
        peak_allocated_bytes: most bytes in live storages.
        peak_blocks_bytes: the same in whole blocks of the allocator, with cuBLAS's workspaces and with those
            that cuDNN takes where there is room: what ``torch.cuda.max_memory_allocated`` reports.
    """

    peak_allocated_bytes: int
    peak_blocks_bytes: int


def predict_peak_memory(
    recipe: Recipe,
    strategy: Strategy,
    clip: Clip,
    model: ModelSize = ModelSize(),  # noqa: B008  immutable
    card: Card = Card(),  # noqa: B008  immutable
    accumulates: bool = False,
) -> Prediction:
    """Predict the memory of one training step in the steady state.

    Args:
        recipe, strategy: what is trained, and how it is computed.
        clip: shape of the batch; of a divided one, of what a process computes at once.
        model: sizes of the model.
        card: what context and libraries take of it, and how its allocator works.
        accumulates: whether the step adds its gradients to those of a part of the batch that came before.

    Raises:
        UserError: when the model cannot process such a clip.
    """

    with _collector_paused(), _too_small_named(clip):
        # lives to the end of this function, and so do parameters, optimiser state and batch in the events
        step = assemble_step(recipe, strategy, clip, model, "meta")._replace(accumulates=accumulates)
        tracker = track_training_step(step)
        reserved = reservation(tracker.events, card)
        steps = timeline(tracker.ledger)
        holders = peak_holders(tracker.ledger, tracker.calls)
    return Prediction(
        tracker.peak,
        reserved.peak_blocks,
        reserved.peak,
        reserved.smallest + card.context_bytes,
        card.context_bytes + card.cublas_bytes,
        tracker.flops,
        steps,
        holders,
    )


def predict_inference_peak(
    recipe: Recipe,
    strategy: Strategy,
    clip: Clip,
    model: ModelSize,
    iterations: int,
    card: Card = Card(),  # noqa: B008  immutable
) -> InferencePeak:
    """Predict the memory of tracking the recipe's number of tracks without gradients.

    Args:
        recipe, strategy: which model, and how it is computed.
        clip: shape of the video.
        model: sizes of the model.
        iterations: refinement iterations per window.
        card: what libraries take of it.

    Raises:
        UserError: when the model cannot process such a video.
    """

    with _collector_paused(), _too_small_named(clip):
        with torch.device("meta"):
            network = build_model(model, recipe, strategy)
        batch = blank_batch(clip, recipe.tracks, "meta")
        tracker = track_inference(network, batch.video, batch.queries, iterations)
        allocator = CachingAllocator().replay([*library_blocks(card), *tracker.events])
    return InferencePeak(tracker.peak.bytes, allocator.peak_allocated)


@contextmanager
def _too_small_named(clip: Clip) -> Iterator[None]:
    try:
        yield
    except (RuntimeError, ValueError) as error:
        # no value is computed on meta tensors, so only shapes can be at fault
        reason = str(error).splitlines()[0]
        raise UserError(
            f"a clip of {clip.frames} frames of {clip.height}x{clip.width} cannot be processed by this model "
            f"({reason}); choose another size of clip or model"
        ) from error


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Without the garbage collector, which takes long to find next to nothing among so many live objects."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
