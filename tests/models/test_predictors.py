"""Predictors against the official ones, and behind the interface of the benchmarks."""

import numpy as np
import pytest
import torch
from small_models import TINY, TINY_OF

from cotracker_pipeline.config import Evaluation, Recipe, Strategy
from cotracker_pipeline.errors import UserError
from cotracker_pipeline.models import CoTracker2, CoTracker3Offline
from cotracker_pipeline.models.build import build_model
from cotracker_pipeline.models.checkpoints import load_model, load_weights, save_model
from cotracker_pipeline.models.predictors import Predictor, load_trackers
from cotracker_pipeline.models.support_points import support_points


def test_joint_prediction(rule, golden, near):
    case = golden("v2_i_eval_predictor")
    model = rule.fill_(CoTracker2(), case.meta["seed"])
    predictor = Predictor(model, tuple(case.meta["interp_shape"]), support_grid=3, iterations=2)
    tracks, visibility = predictor(predictor.encode(case.video), case["queries"])
    count = case.meta["N"]
    near(case.name, "joint coordinates (px)", tracks, case["joint_coords"][:, :, :count], 2e-4)
    near(case.name, "joint visibility", visibility, case["joint_vis"][:, :, :count], 2e-5)


def test_joint_prediction_of_cotracker3(rule, golden, near):
    case = golden("v3_i_eval_predictor")
    model = rule.fill_(CoTracker3Offline(), case.meta["seed"])
    meta = case.meta
    video = rule.video(meta["seed"], meta["video_name"], meta["T"], meta["H"], meta["W"])
    predictor = Predictor(model, tuple(meta["interp_shape"]), support_grid=3, iterations=2)
    tracks, visibility = predictor(predictor.encode(torch.from_numpy(video)), case["queries"])
    near(case.name, "joint coordinates (px)", tracks, case["joint_coords"], 2e-4)
    near(case.name, "joint visibility", visibility, case["joint_vis"], 2e-5)


def test_support_grids(golden, near):
    case = golden("v2_i_grids")
    for side, resolution in ((1, (384, 512)), (5, (384, 512)), (6, (64, 96))):
        grid = support_points(side, resolution)[..., 1:]
        near(case.name, "grids (px)", grid.reshape(-1, 2), case[f"grid_{side}"].reshape(-1, 2), 1e-4)
    assert support_points(0, (384, 512)).shape == (1, 0, 3)


@pytest.fixture
def checkpoint(tmp_path):
    torch.manual_seed(0)
    path = tmp_path / "model.safetensors"
    save_model(path, build_model(TINY, Recipe(), Strategy()), TINY, Recipe())
    return path


@pytest.mark.parametrize("mode", ["first", "strided"])
def test_tracker_of_a_checkpoint(checkpoint, mode):
    tracker = load_trackers(checkpoint, Evaluation(support_grid=2))[mode]
    video = np.random.default_rng(0).integers(0, 256, (6, 24, 40, 3), dtype=np.uint8)
    queries = np.array([[0, 3.5, 4.5], [3, 20.25, 10.75]])
    tracks, visible = tracker(video, queries)
    assert tracks.shape == (2, 6, 2)
    assert tracks.dtype == np.float32
    assert visible.shape == (2, 6)
    assert visible.dtype == bool
    assert np.isfinite(tracks).all()


@pytest.mark.parametrize("architecture", ["cotracker3-online", "cotracker3-offline"])
def test_visible_is_what_is_visible_and_trusted(architecture):
    torch.manual_seed(0)
    model = build_model(TINY_OF[architecture], Recipe(), Strategy())
    queries = torch.tensor([[[0.0, 5.0, 9.0], [2.0, 20.0, 4.0]]])
    predictor = Predictor(model, (32, 48), support_grid=0, iterations=2)
    encoded = predictor.encode(255 * torch.rand(1, 5, 3, 32, 48))
    tracks, visibility = predictor(encoded, queries)
    with torch.no_grad():
        coords, visible, confidence, _ = model.track(encoded.maps, queries, 2)
    assert torch.allclose(tracks, coords)
    assert torch.allclose(visibility, visible * confidence)


def test_the_trackers_of_a_checkpoint_encode_a_video_once(checkpoint, monkeypatch):
    trackers = load_trackers(checkpoint, Evaluation(support_grid=2))
    alone = load_trackers(checkpoint, Evaluation(support_grid=2, query_modes=("strided",)))["strided"]
    encoded = []
    plain = CoTracker2.encode
    monkeypatch.setattr(CoTracker2, "encode", lambda model, video: encoded.append(1) or plain(model, video))
    video = np.random.default_rng(0).integers(0, 256, (6, 24, 40, 3), dtype=np.uint8)
    queries = np.array([[0, 3.5, 4.5], [3, 20.25, 10.75]])
    trackers["first"](video, queries)
    tracks, _ = trackers["strided"](video, queries)
    assert len(encoded) == 1
    np.testing.assert_array_equal(tracks, alone(video, queries)[0])
    video[0] = 0
    moved, _ = trackers["strided"](video, queries)
    assert len(encoded) == 3
    assert not np.array_equal(tracks, moved)


def test_a_checkpoint_comes_back(checkpoint):
    loaded = load_model(checkpoint, Strategy())
    assert loaded.size == TINY
    assert loaded.recipe == Recipe()


def test_a_checkpoint_of_another_width_is_refused(checkpoint):
    wider = build_model(TINY.model_copy(update={"hidden_size": 32}), Recipe(), Strategy())
    with pytest.raises(UserError, match="does not fit the configured model"):
        load_weights(checkpoint, wider)


def test_a_truncated_or_missing_checkpoint_is_refused(checkpoint):
    checkpoint.write_bytes(checkpoint.read_bytes()[:200])
    with pytest.raises(UserError, match="is no readable safetensors file"):
        load_model(checkpoint, Strategy())
    with pytest.raises(UserError, match="there is no such checkpoint"):
        load_model(checkpoint.with_name("other"), Strategy())


def test_published_coordinates_reach_the_model_as_cotracker_scales_them(checkpoint, monkeypatch):
    """A fraction of the image becomes that fraction of (width - 1, height - 1) of the model's resolution."""
    asked = []
    plain = CoTracker2.track

    def track(model, maps, queries, iterations):
        asked.append(queries[0, 0].tolist())
        return plain(model, maps, queries, iterations)

    monkeypatch.setattr(CoTracker2, "track", track)
    height, width = TINY.model_resolution
    video = np.zeros((6, 24, 40, 3), np.uint8)
    tracker = load_trackers(checkpoint, Evaluation(support_grid=0, coords="published"))["first"]
    tracker(video, np.array([[2, 0.25 * 40, 0.75 * 24]]))
    assert asked[0] == pytest.approx([2, 0.25 * (width - 1), 0.75 * (height - 1)])
