"""What users ask for, and which part of the answer they get."""

import numpy as np
import pytest
import torch
from small_models import TINY_OF

from cotracker_pipeline.config import Recipe, Strategy
from cotracker_pipeline.models.build import build_model
from cotracker_pipeline.models.predictors import BidirectionalPredictor, Predictor
from cotracker_pipeline.models.user_predictor import FRAMES_AT_ONCE, UserPredictor, visibility_threshold
from cotracker_pipeline.models.user_queries import (
    MOST_AT_ONCE,
    grid_queries,
    inside,
    interleaved,
    pixel_queries,
)
from cotracker_pipeline.rungs import TRACKING

FRAMES, HEIGHT, WIDTH = 11, 24, 40
RESOLUTION = (32, 48)
QUERIES = np.array([[0, 3.5, 4.5], [6, 20.25, 10.75], [6, 0, 24], [10, 33, 7]])

architectures = pytest.mark.parametrize("architecture", TINY_OF)


@pytest.fixture(scope="module")
def video():
    return np.random.default_rng(0).integers(0, 256, (FRAMES, HEIGHT, WIDTH, 3), dtype=np.uint8)


def model(architecture):
    torch.manual_seed(3)
    return build_model(TINY_OF[architecture], Recipe(), Strategy.model_validate(TRACKING))


def user(architecture, threshold=0.5, **options):
    return UserPredictor(model(architecture), RESOLUTION, threshold, iterations=2, **options)


def reference(predictor, video):
    """Tracks (N, T, 2) and visibility (N, T) of ``QUERIES`` straight from a predictor."""
    frames = torch.from_numpy(video).permute(0, 3, 1, 2)[None].float()
    forward = getattr(predictor, "predictor", predictor)
    points = torch.from_numpy(QUERIES - [0, 0.5, 0.5]).float()[None]
    tracks, visibility = predictor(forward.encode(frames), points)
    return tracks[0].transpose(0, 1).numpy() + 0.5, visibility[0].T.numpy()


def widest_gap(values):
    """The middle of the largest gap between neighbours in the order of size: rounding crosses it not."""
    values = np.sort(values)
    widest = np.diff(values).argmax()
    return float(values[widest : widest + 2].mean())


def away_from_query():
    return np.arange(FRAMES) != QUERIES[:, :1]


@architectures
@pytest.mark.parametrize("support_grid", [0, 3])
def test_forward_is_the_joint_prediction(architecture, support_grid, video):
    tracks, visibility = reference(Predictor(model(architecture), RESOLUTION, support_grid, 2), video)
    after = np.arange(FRAMES) > QUERIES[:, :1]
    threshold = widest_gap(visibility[after])
    predictor = user(architecture, threshold, support_grid=support_grid)
    tracked = predictor.track(predictor.encode(video), QUERIES)
    np.testing.assert_allclose(tracked.tracks[after], tracks[after], atol=1e-4)
    np.testing.assert_array_equal(tracked.visible[after], visibility[after] > threshold)


@architectures
def test_backward_is_the_prediction_of_the_reversed_video(architecture, video):
    both = BidirectionalPredictor(Predictor(model(architecture), RESOLUTION, 2, 2))
    tracks, visibility = reference(both, video)
    away = away_from_query()
    threshold = widest_gap(visibility[away])
    predictor = user(architecture, threshold, backward=True, support_grid=2)
    tracked = predictor.track(predictor.encode(video), QUERIES)
    assert tracked.valid.all()
    assert np.isfinite(tracked.tracks).all()
    np.testing.assert_allclose(tracked.tracks[away], tracks[away], atol=1e-4)
    np.testing.assert_array_equal(tracked.visible[away], visibility[away] > threshold)


@architectures
def test_frames_that_were_not_tracked_say_so(architecture, video):
    predictor = user(architecture)
    tracked = predictor.track(predictor.encode(video), QUERIES)
    before = np.arange(FRAMES) < QUERIES[:, :1]
    # offline tracks the whole clip at once, in both directions
    untracked = before if architecture != "cotracker3-offline" else np.zeros_like(before)
    np.testing.assert_array_equal(tracked.valid, ~untracked)
    assert np.isnan(tracked.tracks[untracked]).all()
    assert np.isfinite(tracked.tracks[~untracked]).all()
    assert not tracked.visible[untracked].any()


@architectures
def test_a_query_is_where_it_was_asked_for(architecture, video):
    predictor = user(architecture)
    # nothing else would be visible
    predictor.visibility_threshold = 1.0
    tracked = predictor.track(predictor.encode(video), QUERIES)
    point, frame = np.arange(len(QUERIES)), QUERIES[:, 0].astype(int)
    np.testing.assert_array_equal(tracked.tracks[point, frame], QUERIES[:, 1:].astype(np.float32))
    np.testing.assert_array_equal(tracked.visible, ~away_from_query())


def test_a_video_is_encoded_in_parts(video):
    predictor = user("cotracker2")
    done = []
    encoded = predictor.encode(video, done.append)
    assert done == [FRAMES_AT_ONCE, FRAMES - FRAMES_AT_ONCE]
    whole = predictor.forward.encode(torch.from_numpy(video).permute(0, 3, 1, 2)[None].float())
    assert encoded.size == whole.size
    torch.testing.assert_close(encoded.maps, whole.maps, rtol=0, atol=1e-5)


def test_groups_are_tracked_each_alone(video):
    predictor = user("cotracker3-online")
    encoded = predictor.encode(video)
    groups = [np.array([3, 0]), np.array([1, 2])]
    done = []
    tracked = predictor.track_groups(encoded, QUERIES, groups, done.append)
    assert done == [2, 2]
    np.testing.assert_array_equal(tracked.queries, QUERIES)
    for group in groups:
        alone = predictor.track(encoded, QUERIES[group])
        for whole, part in zip(tracked, alone, strict=True):
            np.testing.assert_array_equal(whole[group], part)


def test_visible_is_what_was_published_as_such():
    assert visibility_threshold("cotracker2") == 0.9
    assert visibility_threshold("cotracker3-online") == visibility_threshold("cotracker3-offline") == 0.6


def test_a_grid_is_regular_for_the_model(golden, near):
    grid = golden("v2_i_grids")["grid_5"].reshape(-1, 2)
    queries = grid_queries(5, 3, (384, 512), (384, 512))
    near("v2_i_grids", "grid of a user (px)", queries[:, 1:] - 0.5, grid, 1e-4)
    assert set(queries[:, 0]) == {3}
    # corners of pixel indices lie on corners
    smaller = grid_queries(5, 0, (193, 257), (384, 512))
    near("v2_i_grids", "grid of a user (px)", (smaller[:, 1:] - 0.5) / [256 / 511, 192 / 383], grid, 1e-4)


def test_every_pixel_is_asked_for_once():
    queries = pixel_queries(2, (3, 4))
    assert queries.shape == (12, 3)
    np.testing.assert_array_equal(
        queries[[0, 1, 4, 11]], [[2, 0.5, 0.5], [2, 1.5, 0.5], [2, 0.5, 1.5], [2, 3.5, 2.5]]
    )


def test_inside_a_mask():
    mask = np.zeros((3, 4), bool)
    mask[1, 2] = mask[2, 3] = True
    kept = inside(pixel_queries(0, mask.shape), mask)
    np.testing.assert_array_equal(kept[:, 1:], [[2.5, 1.5], [3.5, 2.5]])
    # the corner of the image belongs to its last pixel
    edges = np.array([[0.0, 4, 3], [0, 2, 1], [0, 3, 1], [0, 1.99, 1]])
    np.testing.assert_array_equal(inside(edges, mask), edges[:2])


@pytest.mark.parametrize("size", [(24, 40), (128, 128), (384, 512), (854, 480)])
def test_pixels_are_tracked_in_sparse_grids(size):
    queries = pixel_queries(0, size)
    groups = interleaved(queries, size)
    np.testing.assert_array_equal(np.sort(np.concatenate(groups)), np.arange(len(queries)))
    for group in groups:
        # the last rows and columns may be there or not
        assert len(group) < 1.1 * MOST_AT_ONCE
        reach = np.ptp(queries[group, 1:], axis=0)
        assert (reach > 0.9 * np.array([size[1], size[0]]) - 1).all()
    most = max(map(len, groups))
    assert most > 0.5 * min(MOST_AT_ONCE, len(queries))


def test_a_mask_leaves_no_group_empty():
    mask = np.zeros((128, 128), bool)
    mask[::2, ::2] = True
    queries = inside(pixel_queries(0, mask.shape), mask)
    assert [len(group) for group in interleaved(queries, mask.shape)] == [len(queries)]
