"""The parts of CoTracker3, each alone, against those of the official model."""

import pytest
import torch
from einops import rearrange

from cotracker_pipeline.models import CoTracker3Offline
from cotracker_pipeline.models.embeddings import embed_motion, resized_time_table, time_table
from cotracker_pipeline.models.encoder import unit_length
from cotracker_pipeline.models.sampling import sample_maps

TOLERANCE = 1e-4
SEED = 12


@pytest.fixture(scope="module")
def model(rule) -> CoTracker3Offline:
    return rule.fill_(CoTracker3Offline(), SEED).eval()


@pytest.fixture
def case(golden):
    return golden("v3_components")


def test_motion(case, near):
    near(case.name, "motion", embed_motion(case["posenc_in"]), case["posenc_out"], TOLERANCE)


@pytest.mark.parametrize(("frames", "step"), [(12, 4), (40, 13)])
def test_time_table_of_other_lengths(case, near, frames, step):
    found = resized_time_table(time_table(16, 1110), frames)[:, ::step, ::8]
    near(case.name, "time", found, case[f"time_interp_{frames}"], TOLERANCE)


def test_surroundings_and_their_products(model, case, unit, near):
    maps = unit("c3/f", (1, 3, 128, 12, 16), SEED)
    queries = torch.cat([case["q_frames"][..., None], case["q_coords"]], dim=-1)
    [support] = model.corr_mlp.support([maps], queries)
    near(case.name, "support", support[..., ::32].transpose(1, 2), case["support_slice"], TOLERANCE)
    near(case.name, "centre", support[:, None, :, 24, ::8], case["center_feat"], TOLERANCE)
    coords = rearrange(case["coords"], "t n xy -> 1 n t xy")
    with torch.no_grad():
        volume = model.corr_mlp.volume(maps[0], support, coords)
        near(case.name, "volume", volume[:, :2, 1], case["volume_slice"], TOLERANCE)
        embedded = model.corr_mlp.mlp(volume / 128)[..., ::8]
    found = rearrange(embedded, "1 n t d -> (t n) d")
    near(case.name, "embedding", found, case["corr_mlp_out"], TOLERANCE)


def test_sampled_features(case, unit, near):
    maps = unit("c3/f", (1, 3, 128, 12, 16), SEED)
    steps = torch.arange(-3.0, 4)
    points = case["coords"][..., None, :] + torch.cartesian_prod(steps, steps)
    found = sample_maps(maps[0], points.flatten(1, 2)).reshape(1, 3, 4, 7, 7, 128)[..., ::32]
    near(case.name, "features", found, case["corr_feat_slice"], TOLERANCE)


def test_transformer(model, case, unit, near):
    tokens = unit("uf3/x", (1, 5, 4, 1110), SEED)
    with torch.no_grad():
        found = model.updateformer(tokens, ())
    near(case.name, "transformer", found, case["uf_out"], TOLERANCE)


def test_transformer_over_time_alone(model, case, unit, near, monkeypatch):
    def stage(layer, points, virtual, mask):
        del layer, mask
        return torch.cat([points, virtual], dim=1)

    monkeypatch.setattr(model.updateformer, "_space_stage", stage)
    with torch.no_grad():
        found = model.updateformer(unit("uf3/x", (1, 5, 4, 1110), SEED), ())
    near(case.name, "time blocks", found, case["uf_out_nospace"], TOLERANCE)


def test_features_have_length_1(model, rule, case, near):
    video = torch.from_numpy(rule.video(SEED, "f3", 1, 64, 96))
    with torch.no_grad():
        found = model.encode(video)[:, 0]
    near(case.name, "features", found[:, ::16], case["fnet_normalised"], TOLERANCE)
    assert torch.allclose(found.norm(dim=1), torch.ones(()), atol=1e-5)


def test_a_feature_of_zeros_stays_finite():
    maps = torch.zeros(1, 4, 2, 2, requires_grad=True)
    unit_length(maps).sum().backward()
    assert maps.grad.isfinite().all()
