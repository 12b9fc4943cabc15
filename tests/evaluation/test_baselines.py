"""The floors on a texture that moves as one, by a known sub-pixel step."""

import numpy as np
import pytest

from cotracker_pipeline.evaluation.baselines import BASELINES

STEP = np.array([1.3, -0.7])
FLOWS = ["lucas-kanade", "dis-flow"]
SIZE = 64


def texture(x, y):
    """Smooth noise, 0..1, at raster positions of any shape."""
    random = np.random.default_rng(5)
    waves = np.zeros(np.shape(x))
    for frequency, phase in zip(
        random.normal(0, 0.5, (24, 2)), random.uniform(0, 2 * np.pi, 24), strict=True
    ):
        waves += np.cos(frequency[0] * x + frequency[1] * y + phase)
    return np.clip(waves / 24 + 0.5, 0, 1)


def moving_video(frames, step=STEP):
    """What was at raster position p in frame 0 is at p + t step in frame t."""
    # a pixel shows what is at its centre
    x, y = np.meshgrid(np.arange(SIZE) + 0.5, np.arange(SIZE) + 0.5)
    return as_video(np.stack([texture(x - t * step[0], y - t * step[1]) for t in range(frames)]))


def as_video(images):
    """Brightness (T, H, W), 0..1 -> (T, H, W, 3) uint8."""
    return np.repeat(np.round(images * 255).astype(np.uint8)[..., None], 3, axis=-1)


def inner_queries(frame, count=12):
    places = np.random.default_rng(1).uniform(20, SIZE - 20, (count, 2))
    return np.column_stack([np.full(count, float(frame)), places])


@pytest.mark.parametrize("name", FLOWS)
@pytest.mark.parametrize("query_frame", [0, 3, 6])
def test_flow_follows_translation_both_ways(name, query_frame):
    queries = inner_queries(query_frame)
    tracks, visible = BASELINES[name](moving_video(7), queries)
    wanted = queries[:, None, 1:] + (np.arange(7) - query_frame)[:, None] * STEP
    assert np.abs(tracks - wanted).max() < 0.25
    assert visible.all()


@pytest.mark.parametrize("name", FLOWS)
def test_flow_has_no_half_pixel_bias(name):
    # a translation does not show where a pixel's centre is; a rotation does: 40 degrees leave the mean of a
    # grid around the axis in place, but move it by 0.48 pixels if every point is taken half a pixel off
    centre = SIZE / 2
    x, y = np.meshgrid(np.arange(SIZE) + 0.5 - centre, np.arange(SIZE) + 0.5 - centre)
    angles = np.radians(np.arange(0, 44, 4))[:, None, None]
    video = as_video(
        texture(
            centre + np.cos(angles) * x + np.sin(angles) * y, centre - np.sin(angles) * x + np.cos(angles) * y
        )
    )
    grid = np.stack(np.meshgrid(*[np.linspace(16, 48, 9)] * 2), axis=-1).reshape(-1, 2)
    tracks, _ = BASELINES[name](video, np.column_stack([np.zeros(len(grid)), grid]))
    assert np.linalg.norm(tracks[:, -1].mean(0) - centre) < 0.12


@pytest.mark.parametrize("name", FLOWS)
def test_flow_hides_what_leaves_the_image(name):
    queries = np.array([[0.0, SIZE - 6.0, SIZE / 2], [0.0, SIZE / 2, SIZE / 2]])
    _, visible = BASELINES[name](moving_video(9, step=np.array([2.0, 0.0])), queries)
    assert not visible[0, -1]
    assert visible[0, 0]
    assert visible[1].all()


@pytest.mark.parametrize("name", BASELINES)
def test_still_video(name):
    video = np.repeat(moving_video(1), 5, axis=0)
    queries = inner_queries(2)
    tracks, visible = BASELINES[name](video, queries)
    wanted = np.repeat(queries[:, None, 1:], 5, axis=1)
    np.testing.assert_allclose(tracks, wanted, atol=1e-5 if name == "static" else 0.02)
    assert visible.all()


@pytest.mark.parametrize("name", BASELINES)
@pytest.mark.parametrize(("count", "frames"), [(0, 3), (2, 1), (3, 4)])
def test_protocol(name, count, frames):
    # beyond the image and on fractional frames, too
    queries = np.array([[0.4, -9.0, 300.0], [0.0, 0.0, 0.0], [2.6, 40.0, 64.0]])[:count]
    tracks, visible = BASELINES[name](moving_video(frames), queries)
    assert tracks.shape == (count, frames, 2)
    assert tracks.dtype == np.float32
    assert np.isfinite(tracks).all()
    assert visible.shape == (count, frames)
    assert visible.dtype == np.bool_


@pytest.mark.parametrize("name", BASELINES)
@pytest.mark.parametrize(
    ("video", "queries", "message"),
    [
        (np.zeros((2, 16, 16, 3), np.float32), np.zeros((1, 3)), "must be uint8"),
        (np.zeros((16, 16, 3), np.uint8), np.zeros((1, 3)), "video is uint8 of shape"),
        (np.zeros((2, 16, 16, 3), np.uint8), np.zeros((1, 2)), "queries has shape"),
        (np.zeros((2, 16, 16, 3), np.uint8), np.full((1, 3), np.nan), "NaN or infinite"),
        (np.zeros((2, 16, 16, 3), np.uint8), np.full((1, 3), 2.0), "its 2 frames are 0..1"),
    ],
)
def test_bad_input_is_named(name, video, queries, message):
    with pytest.raises(ValueError, match=message):
        BASELINES[name](video, queries)


def test_dis_flow_names_the_smallest_video():
    with pytest.raises(ValueError, match="at least 12 pixels"):
        BASELINES["dis-flow"](np.zeros((2, 8, 40, 3), np.uint8), np.zeros((1, 3)))


def test_dis_flow_takes_more_points_than_an_image_row():
    queries = np.tile(inner_queries(0, 1), (33_000, 1))
    tracks, _ = BASELINES["dis-flow"](moving_video(2), queries)
    assert np.abs(tracks[:, 1] - (queries[:, 1:] + STEP)).max() < 0.25
