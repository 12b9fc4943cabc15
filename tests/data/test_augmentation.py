"""Augmented clips: their pixels stay under their tracks, and what is hidden is invisible."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from cotracker_pipeline.config import Augmentation, Clip
from cotracker_pipeline.data.augmentation import Change, Labels, draw_changes
from cotracker_pipeline.data.augmentation.blur import draw_blur
from cotracker_pipeline.data.augmentation.erase import Erasing, draw_erasing
from cotracker_pipeline.data.augmentation.flip import draw_flip
from cotracker_pipeline.data.augmentation.jitter import HUE, ColourJitter, draw_colours, draw_jitter
from cotracker_pipeline.data.augmentation.pad import draw_padding
from cotracker_pipeline.data.augmentation.replace import Replacement, draw_replacement
from cotracker_pipeline.data.augmentation.scale import draw_scales
from cotracker_pipeline.data.augmentation.view import View

FRAMES, HEIGHT, WIDTH = 6, 176, 208
CLIP = Clip(frames=FRAMES, height=112, width=144)
BACKGROUND, BLOB = np.array([40, 70, 90]), np.array([170, 150, 120])
# pixels: standard deviation of a blob, half of the window in which its middle is measured, distance of two
SPREAD, REACH, SPACING = 1.6, 9, 26

STILL = {"flip_x": False, "flip_y": False}
SINGLE = {
    "nothing": STILL,
    "erase": {"erase": 0.5, **STILL},
    "replace": {"replace": 0.5, **STILL},
    "jitter": {"jitter": 1.0, **STILL},
    "blur": {"blur": 1.0, **STILL},
    "pad": {"pad": 24, **STILL},
    "scale": {"scale": 0.25, **STILL},
    "scale_drift": {"scale_drift": 0.05, **STILL},
    "crop": {"crop": "tracks", **STILL},
    "crop_drift": {"crop_drift": 15, **STILL},
    "flip_x": {"flip_x": True, "flip_y": False},
    "flip_y": {"flip_x": False, "flip_y": True},
}
ALL = {key: value for change in SINGLE.values() for key, value in change.items() if value}


def pattern(rng: np.random.Generator) -> tuple[np.ndarray, Labels]:
    """Bright blobs, each at a place of its own between pixels, all drifting -> video, labels."""
    y, x = np.meshgrid(np.arange(14, HEIGHT - 12, SPACING), np.arange(14, WIDTH - 12, SPACING), indexing="ij")
    start = np.stack([x, y], -1).reshape(-1, 2) + rng.uniform(-1, 1, (x.size, 2))
    tracks = (start + rng.uniform(-1.5, 1.5, 2) * np.arange(FRAMES)[:, None, None]).astype(np.float32)
    rows, columns = np.arange(HEIGHT), np.arange(WIDTH)
    across = np.exp(-((columns - tracks[..., :1]) ** 2) / (2 * SPREAD**2))
    down = np.exp(-((rows - tracks[..., 1:]) ** 2) / (2 * SPREAD**2))
    light = np.einsum("tnh,tnw->thw", down, across)[..., None]
    video = np.rint(BACKGROUND + BLOB * np.minimum(light, 1)).astype(np.uint8)
    return video, Labels(tracks, np.ones(tracks.shape[:2], bool), HEIGHT, WIDTH)


def away_from(changes: list[Change], labels: Labels, distance: float) -> np.ndarray:
    """The points (T, N) that have no border and no covered rectangle within ``distance`` before the view."""
    edges = labels.size - distance
    clear = ((labels.tracks > distance) & (labels.tracks < edges)).all(axis=-1)
    for change in changes:
        covered = [patch.target for patch in change.patches] if isinstance(change, Replacement) else ()
        for frame, *corners in change.rectangles if isinstance(change, Erasing) else covered:
            low, high = np.array(corners[:2]) - distance, np.array(corners[2:]) + distance
            clear[frame] &= ~((labels.tracks[frame] > low) & (labels.tracks[frame] < high)).all(axis=-1)
    return clear


def middle(image: np.ndarray, at: np.ndarray) -> np.ndarray:
    """The centre of brightness, in pixel indices, around ``at`` (2,)."""
    left, top = np.rint(at).astype(int) - REACH
    window = image[top : top + 2 * REACH + 1, left : left + 2 * REACH + 1].sum(axis=-1).astype(float)
    weight = np.maximum(window - np.median(window) - 12, 0)
    rows, columns = np.indices(window.shape)
    return np.array([left + np.average(columns, weights=weight), top + np.average(rows, weights=weight)])


def deviations(name: str, seed: int, shift: float = 0.0) -> np.ndarray:
    """How far the tracks, moved by ``shift``, lie from the blobs that they belong to: (M, 2) pixels."""
    rng = np.random.default_rng([seed, 7])
    video, before = pattern(rng)
    settings = Augmentation.model_validate(ALL if name == "all" else SINGLE[name])
    changes, after = draw_changes(rng, before, settings, CLIP)
    measurable = after.visible & away_from(changes, before, 2.0 * REACH)
    measurable &= ((after.tracks >= REACH + 1) & (after.tracks < after.size - REACH - 1)).all(axis=-1)
    for change in changes:
        video = change.paint(video)
    assert video.shape == (FRAMES, CLIP.height, CLIP.width, 3)
    assert video.dtype == np.uint8
    tracks = after.tracks + shift
    return np.array(
        [tracks[at] - middle(video[at[0]], tracks[at]) for at in map(tuple, np.argwhere(measurable))]
    )


@pytest.mark.parametrize("name", [*SINGLE, "all"])
def test_pixels_stay_under_their_tracks(name: str) -> None:
    found = np.concatenate([deviations(name, seed) for seed in range(8)])
    assert len(found) > 100
    assert np.abs(found).max() < 0.1


def test_a_quarter_of_a_pixel_would_be_noticed() -> None:
    assert np.abs(deviations("all", 0, shift=0.25)).min() > 0.1


def drawn(seed: int, **settings: object) -> tuple[list[Change], Labels, Labels]:
    rng = np.random.default_rng(seed)
    _, before = pattern(rng)
    changes, after = draw_changes(rng, before, Augmentation.model_validate({**STILL, **settings}), CLIP)
    return changes, before, after


@hypothesis_settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_visible_points_lie_inside_of_the_clip(seed: int) -> None:
    _, before, after = drawn(seed, **ALL)
    seen = after.tracks[after.visible]
    assert ((seen >= -0.5) & (seen <= after.size - 0.5)).all()
    assert (after.height, after.width) == (CLIP.height, CLIP.width)
    assert after.tracks.shape == before.tracks.shape
    assert after.tracks.dtype == np.float32


@pytest.mark.parametrize("draw", [draw_erasing, draw_replacement])
def test_points_are_invisible_where_the_pixels_changed_and_nowhere_else(draw: object) -> None:
    rng = np.random.default_rng(0)
    video = rng.integers(0, 256, (FRAMES, HEIGHT, WIDTH, 3)).astype(np.uint8)
    rows, columns = np.indices((HEIGHT, WIDTH)).reshape(2, -1)
    everywhere = np.tile(np.stack([columns, rows], -1).astype(np.float32), (FRAMES, 1, 1))
    labels = Labels(everywhere, np.ones((FRAMES, HEIGHT * WIDTH), bool), HEIGHT, WIDTH)
    change = draw(rng, labels, probability=0.7)  # type: ignore[operator]
    changed = (change.paint(video.copy()) != video).any(axis=-1).reshape(FRAMES, -1)
    hidden = ~change.label(labels).visible
    assert not (changed & ~hidden).any()
    # of noise, a pixel that is overwritten by the like keeps its colour in one of millions
    assert (changed & hidden).sum() > 0.999 * hidden.sum() > 1000
    assert not hidden[0].any()


def test_half_of_the_frames_are_erased_in_one_to_ten_places() -> None:
    frames = 4001
    labels = Labels(np.zeros((frames, 0, 2), np.float32), np.ones((frames, 0), bool), 384, 512)
    rectangles = draw_erasing(np.random.default_rng(0), labels, 0.5).rectangles
    counts = np.bincount([rectangle.frame for rectangle in rectangles], minlength=frames)
    assert counts[0] == 0
    assert (counts > 0).mean() == pytest.approx(0.5, abs=0.03)
    assert set(counts[counts > 0]) == set(range(1, 11))
    sides = np.array([(one.right - one.left, one.bottom - one.top) for one in rectangles])
    assert sides.min() >= 1
    assert sides.max() == 99
    corners = np.array([one[1:] for one in rectangles])
    assert (corners >= 0).all()
    assert (corners <= [512, 384, 512, 384]).all()


def test_an_erased_place_shows_its_mean() -> None:
    (change, _), before, _ = drawn(2, erase=1.0)
    video = np.random.default_rng(0).integers(0, 256, (FRAMES, HEIGHT, WIDTH, 3)).astype(np.uint8)
    assert isinstance(change, Erasing)
    first = Erasing(change.rectangles[:1])
    place = first.rectangles[0].pixels
    expected = np.rint(video[place].mean(axis=(0, 1)))
    assert (first.paint(video)[place] == expected).all()
    assert before.visible.all()


def test_a_neutral_jitter_keeps_colours_and_steps_do_what_they_say() -> None:
    image = np.array([[[100, 50, 0], [200, 200, 200]]], np.uint8)
    assert np.abs(jittered(image).astype(int) - image).max() <= 1
    # the greys of the two pixels are 59 and 200; the hue is kept in bytes, which may cost a level
    for amounts, expected in (
        ({"brightness": 1.5}, [[150, 75, 0], [255, 255, 255]]),
        ({"contrast": 0.5}, [[115, 90, 65], [165, 165, 165]]),
        ({"saturation": 0.0}, [[59, 59, 59], [200, 200, 200]]),
        ({"hue": 1 / 3}, [[0, 100, 50], [200, 200, 200]]),
    ):
        np.testing.assert_allclose(jittered(image, **amounts)[0], expected, atol=2)


def jittered(image: np.ndarray, **amounts: float) -> np.ndarray:
    neutral = {"brightness": 1.0, "contrast": 1.0, "saturation": 1.0, "hue": 0.0}
    return ColourJitter(**{**neutral, **amounts}, order=(3, 0, 1, 2)).apply(image)


def test_colours_are_drawn_from_the_published_ranges() -> None:
    colours = draw_colours(np.random.default_rng(0), 2000)
    for name in ("brightness", "contrast", "saturation"):
        values = [getattr(one, name) for one in colours]
        assert 0.8 <= min(values) < 0.802
        assert 1.198 < max(values) <= 1.2
    assert 0.99 * HUE < max(abs(one.hue) for one in colours) <= HUE
    assert len({one.order for one in colours}) == 24


@pytest.mark.parametrize(("draw", "drawn_for"), [(draw_jitter, "colours"), (draw_blur, "widths")])
def test_a_quarter_of_the_clips_change_all_of_their_frames(draw: object, drawn_for: str) -> None:
    _, labels = pattern(np.random.default_rng(0))
    rng = np.random.default_rng(0)
    counts = [len(getattr(draw(rng, labels, 0.25), drawn_for)) for _ in range(2000)]  # type: ignore[operator]
    assert set(counts) == {0, FRAMES}
    assert np.mean(counts) / FRAMES == pytest.approx(0.25, abs=0.03)


def test_borders_blurs_and_flips_are_drawn_from_the_published_ranges() -> None:
    rng, (_, labels) = np.random.default_rng(0), pattern(np.random.default_rng(0))
    borders = [draw_padding(rng, labels, 24) for _ in range(400)]
    for side in ("left", "right", "top", "bottom"):
        assert {getattr(border, side) for border in borders} == set(range(25))
    widths = np.concatenate([draw_blur(rng, labels, 1.0).widths for _ in range(400)])
    assert 0.1 <= widths.min() < 0.11
    assert 1.99 < widths.max() <= 2.0
    flips = [draw_flip(rng, labels, horizontally=True, vertically=True) for _ in range(2000)]
    kinds = np.bincount([2 * flip.left_right + flip.top_bottom for flip in flips])
    assert kinds / len(flips) == pytest.approx([0.25] * 4, abs=0.04)


def test_scales_start_in_their_range_and_drift_by_small_steps() -> None:
    size, needed = np.array([512, 512]), np.array([100, 100])
    runs = [
        draw_scales(np.random.default_rng(seed), 24, size, needed, spread=0.25, drift=0.05)
        for seed in range(200)
    ]
    scales = np.stack(runs)
    assert 0.74 < scales[:, 0].min() < 0.76
    assert 1.24 < scales[:, 0].max() < 1.26
    # a pixel of 512 is what rounding to whole pixels may add
    assert np.abs(np.diff(scales, axis=1)).max() < 0.05 + 1 / 512
    assert np.abs(np.diff(scales, axis=1)).max() > 0.04
    np.testing.assert_allclose(scales * size, np.rint(scales * size), atol=1e-9)


def test_frames_are_never_scaled_to_less_than_the_clip_and_its_margin() -> None:
    for run in range(20):
        scales = draw_scales(
            np.random.default_rng(run), 10, np.array([512, 400]), np.array([512, 384]), 0.25, 0
        )
        assert (np.rint(scales * [512, 400]) >= [522, 394]).all()


def test_the_crop_stands_around_the_tracks_and_moves_by_small_steps() -> None:
    jumps = []
    for seed in range(30):
        (view,), before, after = drawn(seed, crop="tracks", crop_drift=15)
        assert isinstance(view, View)
        steps = np.diff(view.corners, axis=0)
        jumps.append(np.abs(steps).max())
        middle_of_all = before.tracks[0].mean(axis=0) - view.corners[0]
        np.testing.assert_allclose(middle_of_all, [CLIP.width / 2, CLIP.height / 2], atol=1)
        assert (view.corners >= 0).all()
        assert (view.corners <= before.size - np.array([CLIP.width, CLIP.height])).all()
        assert after.visible.any()
    assert 10 < max(jumps) <= 15


def test_what_is_switched_off_draws_no_random_number() -> None:
    """Else a study's results would change with every new kind of augmentation."""
    rng, again = np.random.default_rng(0), np.random.default_rng(0)
    _, labels = pattern(np.random.default_rng(1))
    draw_changes(rng, labels, Augmentation(), CLIP)
    again.integers(HEIGHT - CLIP.height + 1)
    again.integers(WIDTH - CLIP.width + 1)
    again.integers(2, size=2)
    assert rng.integers(2**60) == again.integers(2**60)
