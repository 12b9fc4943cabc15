"""Predictions of the published model at the true size, against those made with the published code.

Peaks in GB (1e9 bytes) and operations in TFLOP of a step with batch size 1, 24 frames of 384x512, window 8, 4
iterations and AdamW. They come from running the published code on meta tensors with an independent tracker.
"""

import pytest

from cotracker_pipeline.config import Clip, ModelSize, Recipe, Strategy
from cotracker_pipeline.memory import predict_inference_peak, predict_peak_memory
from cotracker_pipeline.rungs import RUNGS, TRACKING

BOTH = ("encoder", "transformer")

PUBLISHED_CODE = {
    "baseline": (61.91, 23.52, {}),
    "tracks-384": (37.13, 14.60, {"tracks": 384}),
    "tracks-324": (33.26, 13.21, {"tracks": 324}),
    "tracks-256": (28.87, 11.63, {"tracks": 256}),
    "tracks-144": (21.64, 9.03, {"tracks": 144}),
    "radius-2": (61.73, 23.49, {"corr_radius": 2}),
    "no-track-mask": (61.90, 23.52, {"use_track_mask": False}),
}

#: What CoTracker3's published code saves for the backward pass, GiB: without parameters, optimiser and batch.
#: Clips of 24 frames it pads to 32 before it encodes them, and the prediction does not: there 2.06 GiB less.
SAVED_BY_COTRACKER3 = {
    ("cotracker3-online", 384, 64): 76.1,
    ("cotracker3-online", 384, 32): 33.8,
    ("cotracker3-online", 384, 24): 25.4 - 2.06,
    ("cotracker3-offline", 512, 60): 57.5,
    ("cotracker3-offline", 384, 24): 19.1,
}

#: The published code has no checkpointing; the reference puts it around the published modules.
CHECKPOINTED = {
    "encoder": (55.42, 24.74, {}, {"checkpoint": ("encoder",)}),
    "transformer": (18.74, 29.60, {}, {"checkpoint": ("transformer",)}),
    "both": (12.25, 30.82, {}, {"checkpoint": BOTH}),
    "bf16-transformer": (14.75, 29.60, {}, {"checkpoint": ("transformer",), "precision": "bf16"}),
    "bf16-both": (11.54, 30.82, {}, {"checkpoint": BOTH, "precision": "bf16"}),
    "384-bf16-both": (6.41, 19.19, {"tracks": 384}, {"checkpoint": BOTH, "precision": "bf16"}),
    "144-bf16-both": (5.16, 11.93, {"tracks": 144}, {"checkpoint": BOTH, "precision": "bf16"}),
    "article": (
        6.31,
        19.18,
        {"tracks": 384, "use_track_mask": False, "corr_radius": 2},
        {"checkpoint": BOTH, "precision": "bf16"},
    ),
    "384-both": (8.91, 19.19, {"tracks": 384}, {"checkpoint": BOTH}),
}

#: GB by which the reference may lie above the prediction; elsewhere 0.3. It copies the position table in
#: every window (0.11); where the encoder is recomputed, its peak lies at another place.
KEPT_MORE = {"384-both": 0.65}


def predict(recipe: dict, strategy: dict) -> tuple[float, float]:
    """Peak in GB and TFLOP."""
    prediction = predict_peak_memory(Recipe(**recipe), Strategy(**strategy), Clip())
    return prediction.peak_allocated_bytes / 1e9, prediction.flops / 1e12


def check_published(name: str) -> None:
    peak, tera, recipe = PUBLISHED_CODE[name]
    predicted, operations = predict(recipe, {})
    assert predicted == pytest.approx(peak, rel=0.01)
    assert operations == pytest.approx(tera, abs=0.006)


def test_the_baseline_takes_what_the_published_code_takes():
    check_published("baseline")


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in PUBLISHED_CODE if name != "baseline"])
def test_recipes_take_what_the_published_code_takes(name):
    check_published(name)


def check_saved(architecture: str, tracks: int, frames: int) -> None:
    recipe = Recipe(tracks=tracks, loss="published", use_attention_mask=False)
    clip, model = Clip(frames=frames), ModelSize(architecture=architecture)
    found = predict_peak_memory(recipe, Strategy(), clip, model)
    lasting = sum(found.breakdown[name] for name in ("parameters", "optimiser", "batch"))
    saved = (found.peak_allocated_bytes - lasting) / 2**30
    assert saved == pytest.approx(SAVED_BY_COTRACKER3[architecture, tracks, frames], rel=0.01)


def test_cotracker3_takes_what_its_published_code_takes():
    check_saved("cotracker3-offline", 384, 24)


@pytest.mark.slow
@pytest.mark.parametrize("case", [case for case in SAVED_BY_COTRACKER3 if case[1:] != (384, 24)])
def test_longer_clips_take_what_the_published_code_takes(case):
    check_saved(*case)


#: Largest peak in GB and most operations, over those of plain bf16, of the published training: offline, 60
#: frames and 512 tracks in bf16, and online, 64 frames and 384 tracks in fp32.
TARGETS_OF_COTRACKER3 = {"fast": (23, 46, 1.05), "balanced": (5, 6.5, 1.3), "minimal": (2.9, 2.9, 1.6)}


@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS_OF_COTRACKER3)
def test_rungs_reach_their_targets_for_cotracker3(name):
    offline_peak, online_peak, ratio = TARGETS_OF_COTRACKER3[name]
    for architecture, tracks, frames, precision, peak, operations in (
        ("cotracker3-offline", 512, 60, "bf16", offline_peak, 23.14),
        ("cotracker3-online", 384, 64, "fp32", online_peak, 29.88),
    ):
        strategy = Strategy(precision=precision, **RUNGS[name])
        clip, model = Clip(frames=frames), ModelSize(architecture=architecture)
        found = predict_peak_memory(Recipe(tracks=tracks), strategy, clip, model)
        assert found.peak_allocated_bytes / 1e9 <= peak
        assert found.flops / 1e12 <= ratio * operations


@pytest.mark.slow
@pytest.mark.parametrize(("peak", "tracks"), [(42.70, 768), (25.05, 384)])
def test_bf16_takes_what_the_published_code_takes(peak, tracks):
    predicted, _ = predict({"tracks": tracks}, {"precision": "bf16"})
    assert predicted == pytest.approx(peak, rel=0.01)


@pytest.mark.slow
@pytest.mark.parametrize("name", CHECKPOINTED)
def test_checkpointing_takes_no_more_than_around_the_published_code(name):
    peak, tera, recipe, strategy = CHECKPOINTED[name]
    predicted, operations = predict(recipe, strategy)
    assert peak - KEPT_MORE.get(name, 0.3) < predicted <= peak
    assert operations == pytest.approx(tera, abs=0.006)


#: Largest peak in GB, and most operations over those of the published code.
TARGETS = {"fast": (42, 1.0), "balanced": (3.5, 1.2), "lean": (2.0, 1.45), "minimal": (1.2, 1.5)}


@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS)
def test_rungs_reach_their_targets(name):
    peak, ratio = TARGETS[name]
    predicted, operations = predict({}, RUNGS[name])
    assert predicted <= peak
    assert operations <= ratio * PUBLISHED_CODE["baseline"][1]


#: Of tracking with the published code in GiB, by radius and tracks.
inference_peaks = pytest.mark.parametrize(
    ("peak_gib", "radius", "tracks"),
    [
        (1.773, 3, 768),
        pytest.param(1.768, 2, 768, marks=pytest.mark.slow),
        (5.27, 3, 6144),
        pytest.param(5.04, 2, 6144, marks=pytest.mark.slow),
    ],
)


def inference_peak_gib(radius, tracks, strategy):
    recipe = Recipe(tracks=tracks, corr_radius=radius)
    peak = predict_inference_peak(recipe, strategy, Clip(), ModelSize(), iterations=6)
    return peak.peak_allocated_bytes / 2**30


@inference_peaks
def test_inference_takes_about_what_the_published_code_takes(peak_gib, radius, tracks):
    assert inference_peak_gib(radius, tracks, Strategy()) == pytest.approx(peak_gib, rel=0.05)


@inference_peaks
def test_tracking_takes_at_most_half(peak_gib, radius, tracks):
    assert inference_peak_gib(radius, tracks, Strategy.model_validate(TRACKING)) <= peak_gib / 2
