"""Predictions against what really happens, at a size where it can happen here."""

import pytest

from cotracker_pipeline.config import Card, Clip, Strategy
from cotracker_pipeline.errors import UserError
from cotracker_pipeline.memory import predict_inference_peak, predict_peak_memory
from cotracker_pipeline.memory.assembly import assemble_step
from cotracker_pipeline.memory.ledger import GRANULE
from cotracker_pipeline.memory.segments import MIB
from cotracker_pipeline.memory.step import track_training_step
from cotracker_pipeline.memory.tracker import MemoryTracker

BOTH = ("encoder", "transformer")

VARIANTS = {
    "baseline": ({}, {}),
    "tracks": ({"tracks": 10}, {}),
    "radius-2": ({"corr_radius": 2}, {}),
    "checkpoint-encoder": ({}, {"checkpoint": ("encoder",)}),
    "checkpoint-transformer": ({}, {"checkpoint": ("transformer",)}),
    "checkpoint-both": ({}, {"checkpoint": BOTH}),
    "no-track-mask": ({"use_track_mask": False}, {}),
    "no-attention-mask": ({"use_attention_mask": False}, {}),
    "published-loss": ({"loss": "published"}, {}),
    "local": ({}, {"correlation": "local"}),
    "skip-unused": ({}, {"skip_unused": True}),
    "encoder-chunk": ({}, {"encoder_chunk": 2, "checkpoint": ("encoder",)}),
    "nested": ({}, {"skip_unused": True, "checkpoint": ("iteration", "stage", "gelu")}),
    "hidden": ({}, {"checkpoint": ("block", "hidden")}),
}


@pytest.fixture
def track(small_recipe, small_clip, small_model):
    def run(device: str, recipe: dict, strategy: dict) -> MemoryTracker:
        changed = small_recipe.model_copy(update=recipe)
        return track_training_step(
            assemble_step(changed, Strategy(**strategy), small_clip, small_model, device)
        )

    return run


@pytest.mark.parametrize("variant", VARIANTS)
def test_meta_and_real_tensors_agree_to_the_byte(track, variant):
    meta, real = (track(device, *VARIANTS[variant]) for device in ("meta", "cpu"))
    assert meta.peak == real.peak
    assert meta.flops == real.flops


@pytest.mark.parametrize("variant", ["baseline", "checkpoint-both"])
def test_the_breakdown_sums_to_the_peak(track, variant):
    peak = track("meta", *VARIANTS[variant]).peak
    assert sum(peak.breakdown.values()) == peak.bytes
    assert min(peak.breakdown.values()) > 0


def test_only_what_outlives_the_step_is_left(small_recipe, small_clip, small_model):
    step = assemble_step(small_recipe, Strategy(), small_clip, small_model, "meta")
    tracker = track_training_step(step)
    assert sum(event.bytes for event in tracker.events) == tracker.live_bytes
    lasting = ("parameters", "optimiser", "batch")
    assert tracker.live_bytes == sum(tracker.peak.breakdown[name] for name in lasting)


@pytest.mark.parametrize("variant", ["baseline", "hidden", "nested"])
def test_gradients_that_add_up_are_there_from_the_beginning(small_recipe, small_clip, small_model, variant):
    recipe, strategy = VARIANTS[variant]
    case = (small_recipe.model_copy(update=recipe), Strategy(**strategy), small_clip, small_model)

    def tracked(device: str, accumulates: bool) -> MemoryTracker:
        return track_training_step(assemble_step(*case, device)._replace(accumulates=accumulates))

    meta, real, alone = tracked("meta", True), tracked("cpu", True), tracked("meta", False)
    assert meta.peak == real.peak
    parameters = assemble_step(*case, "meta").model.parameters()
    everything = sum(-(-parameter.nbytes // GRANULE) * GRANULE for parameter in parameters)
    assert meta.peak.breakdown["gradients"] == everything > alone.peak.breakdown.get("gradients", 0)
    assert 0 < meta.peak.bytes - alone.peak.bytes <= everything


def test_checkpointing_lowers_the_peak_and_costs_operations(small_recipe, small_clip, small_model):
    recipe = small_recipe.model_copy(update={"tracks": 150})
    none, encoder, transformer, both = (
        predict_peak_memory(recipe, Strategy(checkpoint=parts), small_clip, small_model)
        for parts in ((), ("encoder",), ("transformer",), BOTH)
    )
    assert both.peak_allocated_bytes < encoder.peak_allocated_bytes < none.peak_allocated_bytes
    assert both.peak_allocated_bytes < transformer.peak_allocated_bytes < none.peak_allocated_bytes
    recomputed = (encoder.flops - none.flops) + (transformer.flops - none.flops)
    assert both.flops - none.flops == recomputed > 0


def test_bf16_lowers_the_peak(small_recipe, small_clip, small_model):
    plain, low = (
        predict_peak_memory(small_recipe, Strategy(precision=precision), small_clip, small_model)
        for precision in ("fp32", "bf16")
    )
    assert low.peak_allocated_bytes < plain.peak_allocated_bytes
    assert low.flops == plain.flops


def test_three_figures_of_a_card(small_recipe, small_clip, small_model):
    card = Card(context_bytes=1000, cublas_bytes=5000)
    prediction = predict_peak_memory(small_recipe, Strategy(), small_clip, small_model, card)
    assert prediction.peak_allocated_bytes <= prediction.peak_blocks_bytes - 5000
    assert prediction.peak_allocated_bytes <= prediction.smallest_card_bytes - 6000
    assert prediction.smallest_card_bytes - 1000 <= prediction.peak_reserved_bytes
    assert prediction.allowance_bytes == 6000


def test_libraries_add_what_they_take(small_recipe, small_clip, small_model):
    case = small_recipe, Strategy(), small_clip, small_model
    without = predict_peak_memory(*case, Card(context_bytes=0, cublas_bytes=0))
    within = predict_peak_memory(*case, Card(context_bytes=10**6, cublas_bytes=32 * MIB))
    assert within.peak_allocated_bytes == without.peak_allocated_bytes
    assert within.peak_blocks_bytes == without.peak_blocks_bytes + 32 * MIB
    assert within.peak_reserved_bytes == without.peak_reserved_bytes + 32 * MIB
    assert within.smallest_card_bytes == pytest.approx(
        without.smallest_card_bytes + 32 * MIB + 10**6, rel=0.002
    )


def test_a_gpu_reports_more_in_inference_than_storages(small_recipe, small_clip, small_model):
    case = small_recipe, Strategy(), small_clip, small_model, 2
    none = predict_inference_peak(*case, Card(cublas_bytes=0))
    both = predict_inference_peak(*case, Card(cublas_bytes=32 * MIB))
    images = small_clip.frames * small_clip.height * small_clip.width * 4
    # cuDNN's copies of what the first convolution reads and makes
    assert none.peak_blocks_bytes - none.peak_allocated_bytes > images * (
        3 + small_model.encoder_widths[0] / 4
    )
    assert both == none._replace(peak_blocks_bytes=none.peak_blocks_bytes + 32 * MIB)


def test_inference_keeps_less_than_training(small_recipe, small_clip, small_model):
    training = predict_peak_memory(small_recipe, Strategy(), small_clip, small_model)
    inference = predict_inference_peak(small_recipe, Strategy(), small_clip, small_model, iterations=2)
    assert inference.peak_allocated_bytes < training.peak_allocated_bytes / 2


def test_a_clip_that_is_too_small_is_named(small_recipe, small_model):
    with pytest.raises(UserError, match="12 frames of 4x4") as caught:
        predict_peak_memory(small_recipe, Strategy(), Clip(frames=12, height=4, width=4), small_model)
    assert "\n" not in str(caught.value)
