"""Each point on its own: golden numbers, and all at once as one after the other."""

import numpy as np
import pytest
import torch
from small_models import TINY_OF

from cotracker_pipeline.config import Evaluation, Recipe, Strategy
from cotracker_pipeline.models import CoTracker2, CoTracker3Offline, CoTracker3Online
from cotracker_pipeline.models.build import build_model
from cotracker_pipeline.models.checkpoints import save_model
from cotracker_pipeline.models.embeddings import DISPLACEMENT_WIDTH
from cotracker_pipeline.models.encoded_video import encoded
from cotracker_pipeline.models.predictions import from_query_on
from cotracker_pipeline.models.predictors import Predictor, load_trackers
from cotracker_pipeline.models.single_point import SinglePointPredictor
from cotracker_pipeline.models.support_points import local_support
from cotracker_pipeline.models.tracker import Tracker
from cotracker_pipeline.rungs import TRACKING

RESOLUTION = (32, 48)


def tiny(kind: str, **strategy: object) -> Tracker:
    torch.manual_seed(0)
    model = build_model(TINY_OF[kind], Recipe(corr_radius=1), Strategy(**strategy))
    # untrained updates are near zero, and would hide what they read
    torch.nn.init.normal_(model.updateformer.flow_head.weight, std=0.05)
    if kind == "cotracker2":
        # its embedding of displacements turns rounding into pixels within a few iterations
        model.updateformer.input_transform.weight.data[:, 2:DISPLACEMENT_WIDTH] *= 0.01
    return model.double()


@pytest.fixture
def video():
    return 255 * torch.rand(1, 9, 3, 24, 40, generator=torch.Generator().manual_seed(0)).double()


@pytest.fixture
def queries():
    """Three in the first frame, two in the fourth, one in the last."""
    points = 20 * torch.rand(1, 6, 2, generator=torch.Generator().manual_seed(1)).double()
    return torch.cat([torch.tensor([3, 0, 0, 8, 3, 0])[None, :, None], points], dim=-1)


@pytest.mark.parametrize(
    ("name", "architecture"),
    [("v2_i_eval_predictor", CoTracker2), ("v3_i_eval_predictor", CoTracker3Offline)],
)
@pytest.mark.parametrize("strategy", [{}, TRACKING], ids=["published", "tracking"])
def test_single_points_as_published(rule, golden, near, name, architecture, strategy):
    case = golden(name)
    model = rule.fill_(architecture(strategy=Strategy(**strategy)), case.meta["seed"])
    predictor = SinglePointPredictor(model, tuple(case.meta["interp_shape"]), 2, 3, iterations=2)
    tracks, visibility = predictor(encoded(model, case.video, predictor.resolution), case["queries"])
    near(name, "single-point coordinates (px)", tracks, case["single_coords"], 2e-4)
    near(name, "single-point visibility", visibility, case["single_vis"], 2e-5)


def test_online_prediction_of_cotracker3(rule, golden, near):
    """The official online predictor; a threshold of 0.6 on visibility times confidence."""
    case = golden("v3_i_eval_predictor")
    meta = case.meta
    model = rule.fill_(CoTracker3Online(use_attention_mask=False), meta["seed"])
    video = rule.video(meta["seed"], f"{meta['video_name']}/long", 20, meta["H"], meta["W"])
    predictor = Predictor(model, tuple(meta["interp_shape"]), support_grid=6, iterations=6)
    tracks, visibility = predictor(predictor.encode(torch.from_numpy(video)), case["queries"])
    near(case.name, "online coordinates (px)", tracks, case["onlinepred_coords"], 2e-4)
    assert torch.equal(visibility > 0.6, case["onlinepred_vis"])


@pytest.mark.parametrize("strategy", [{}, TRACKING], ids=["published", "tracking"])
@pytest.mark.parametrize("kind", TINY_OF)
def test_points_at_once_are_points_one_by_one(kind, strategy, video, queries):
    """Whatever the frames of their queries; and each as if it were the only one there is."""
    model = tiny(kind, **strategy)
    maps = encoded(model, video, RESOLUTION)
    known = from_query_on(queries, 9)
    at_once = SinglePointPredictor(model, RESOLUTION, 2, 2, iterations=2)
    one_by_one = SinglePointPredictor(model, RESOLUTION, 2, 2, iterations=2, at_a_time=1)
    alone = [at_once(maps, queries[:, number, None]) for number in range(queries.shape[1])]
    found = [at_once(maps, queries), one_by_one(maps, queries)]
    found.append(tuple(torch.cat(parts, dim=2) for parts in zip(*alone, strict=True)))
    for tracks, visibility in found[1:]:
        torch.testing.assert_close(found[0][0][known], tracks[known], rtol=0, atol=1e-7)
        torch.testing.assert_close(found[0][1][known], visibility[known], rtol=0, atol=1e-9)


@pytest.mark.parametrize("kind", TINY_OF)
def test_samples_of_a_video_share_its_maps(kind, video):
    """As if each had maps of its own; and two videos with two samples each."""
    model = tiny(kind, **TRACKING)
    videos = torch.cat([video, video.flip(1)])
    points = 30 * torch.rand(4, 3, 2, generator=torch.Generator().manual_seed(1)).double()
    when = torch.randint(0, 9, (4, 3, 1), generator=torch.Generator().manual_seed(2))
    queries = torch.cat([when, points], dim=-1)
    with torch.no_grad():
        maps = model.encode(videos)
        shared = model.track(maps, queries, 2)[:-1]
        own = model.track(maps.repeat_interleave(2, dim=0), queries, 2)[:-1]
    for ours, theirs in zip(shared, own, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)


def test_no_more_are_tracked_at_a_time(video, queries, monkeypatch):
    model = tiny("cotracker3-offline")
    sizes, plain = [], model.track
    monkeypatch.setattr(model, "track", lambda maps, *rest: sizes.append(len(rest[0])) or plain(maps, *rest))
    SinglePointPredictor(model, RESOLUTION, 2, 2, 1, at_a_time=4)(encoded(model, video, RESOLUTION), queries)
    assert sizes == [4, 2]


def test_cotracker2_sees_nothing_before_the_query(video, queries):
    """Nor is a place known there."""
    model = tiny("cotracker2")
    predictor = SinglePointPredictor(model, RESOLUTION, 2, 2, iterations=2)
    tracks, visibility = predictor(encoded(model, video, RESOLUTION), queries)
    assert tracks[0, :3, 0].abs().max() == 0
    assert visibility[0, :3, 0].abs().max() == 0
    video[:, :3] = 0
    changed, _ = predictor(encoded(model, video, RESOLUTION), queries)
    assert torch.equal(tracks[:, :, 0], changed[:, :, 0])
    assert not torch.equal(tracks[:, :, 1], changed[:, :, 1])


def test_local_support_surrounds_the_point():
    grid = local_support(3, torch.tensor([[10.0, 20.0], [100.0, 200.0]]))
    assert grid.shape == (2, 9, 3)
    assert (grid[..., 0] == 0).all()
    assert torch.allclose(grid.mean(dim=1), torch.tensor([[0.0, 10, 20], [0, 100, 200]]))
    assert (grid[0, -1] - grid[0, 0]).tolist() == pytest.approx([0, 50 - 2 * 50 / 64, 50 - 2 * 50 / 64])
    assert local_support(0, torch.zeros(2, 2)).shape == (2, 0, 3)


@pytest.mark.parametrize("mode", ["first", "strided"])
def test_a_study_may_ask_for_single_points(mode, tmp_path):
    model = build_model(TINY_OF["cotracker2"], Recipe(), Strategy())
    save_model(tmp_path / "model.safetensors", model, TINY_OF["cotracker2"], Recipe())
    pixels = np.random.default_rng(0).integers(0, 256, (6, 24, 40, 3), dtype=np.uint8)
    queries = np.array([[3, 3.5, 4.5], [3, 20.25, 10.75]])
    found = []
    for changes in ({}, {"single_point": True}, {"single_point": True, "local_grid": 0}):
        tracker = load_trackers(tmp_path / "model.safetensors", Evaluation(**changes))[mode]
        alone = tracker(pixels, queries[:1])[0][0]
        found.append(tracker(pixels, queries)[0][0])
        # another query is seen in the joint mode only
        assert (np.abs(alone[3:] - found[-1][3:]).max() < 1e-4) == bool(changes)
    assert not np.allclose(found[1][3:], found[2][3:], atol=1e-4)
    assert Evaluation().model_dump().keys().isdisjoint({"single_point", "local_grid"})


@pytest.mark.parametrize("predictor", [Predictor, SinglePointPredictor])
@pytest.mark.parametrize("query", [[9.0, 5, 5], [0, float("nan"), 5], [0, 5, 24 * 60]])
def test_queries_without_sense_are_refused(predictor, query, video):
    model = tiny("cotracker2")
    with pytest.raises(ValueError, match="query 0 of sample 0 is "):
        predictor(model, RESOLUTION)(encoded(model, video, RESOLUTION), torch.tensor([[query]]).double())
