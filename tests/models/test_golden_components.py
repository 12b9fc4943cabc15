"""The parts of CoTracker2, each alone, against those of the official model."""

import json

import pytest
import torch
import torch.nn.functional as F

from cotracker_pipeline.models import CoTracker2
from cotracker_pipeline.models.correlation import Correlation, build_pyramid
from cotracker_pipeline.models.embeddings import embed_displacement, position_table, time_table
from cotracker_pipeline.models.encoder import Encoder
from cotracker_pipeline.models.sampling import sample_maps, sample_volume

TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def model(rule) -> CoTracker2:
    return rule.fill_(CoTracker2(), 11).eval()


def test_weights_are_those_of_the_golden_model(model, golden_folder, near):
    sums = json.loads((golden_folder / "v2_weight_checks.json").read_text())["sums"]
    parameters = dict(model.named_parameters())
    assert parameters.keys() == sums.keys()
    for key, (total, squares, first, last) in sums.items():
        values = parameters[key].detach().double().flatten()
        found = torch.stack([values.sum(), values.square().sum(), values[0], values[-1]])
        near("v2_weight_checks", "sums", found, torch.tensor([total, squares, first, last]).double(), 1e-3)


@pytest.mark.parametrize("kind", ["even", "odd"])
def test_encoder(model, rule, golden, near, kind):
    case = golden("v2_c_fnet")
    height, width = case.meta[f"{kind}_shape"]
    # the generator makes whole blocks of 4 x 4 pixels
    video = rule.video(11, f"fnet_{kind}", 2, height + -height % 4, width + -width % 4)
    images = 2 * torch.from_numpy(video)[0, ..., :height, :width] / 255 - 1
    for name, maps in encoder_stages(model.fnet, images).items():
        if name == "out":
            near(case.name, "output", maps[:, ::8], case[f"{kind}_out"], TOLERANCE)
        else:
            near(case.name, "stages", maps[:, ::16, ::4, ::4], case[f"{kind}_{name}_slice"], TOLERANCE)
        statistics = torch.stack([maps.mean(dim=(-2, -1)), maps.std(dim=(-2, -1), unbiased=True)])
        near(case.name, "mean and deviation", statistics, case[f"{kind}_{name}_meanstd"], TOLERANCE)


def encoder_stages(encoder: Encoder, images: torch.Tensor) -> dict[str, torch.Tensor]:
    with torch.no_grad():
        stages = {"norm1": F.relu(F.instance_norm(encoder.conv1(images)))}
        maps = stages["norm1"]
        for name in ("layer1", "layer2", "layer3", "layer4"):
            maps = stages[name] = getattr(encoder, name)(maps)
        stages["out"] = encoder(images)
    return stages


def test_samplers(golden, unit, near):
    case = golden("v2_d_samplers")
    maps, volume = unit("samp/im", (2, 3, 5, 7)), unit("samp/vol", (1, 4, 3, 5, 7))
    near(case.name, "maps", sample_maps(maps, case["pts4d"]), case["feat4d"], TOLERANCE)
    points = case["pts5d"]
    sampled = sample_volume(volume.transpose(1, 2), points.flatten(1, 2)).reshape(case["feat5d"].shape)
    near(case.name, "volume", sampled, case["feat5d"], TOLERANCE)


@pytest.mark.parametrize("radius", [3, 2])
def test_correlation(golden, unit, near, radius):
    case = golden("v2_d_corr")
    batch, frames, tracks, channels = (case.meta[key] for key in "BSNC")
    maps = unit("corr/fmaps", (batch, frames, channels, case.meta["H"], case.meta["W"]))
    features = unit("corr/targets", (batch, frames, tracks, channels))
    found = Correlation(radius)(build_pyramid(maps, 4), features, case["coords"])
    found = found.transpose(1, 2).flatten(0, 1)
    near(case.name, f"radius {radius}", found, case[f"out_r{radius}_border"], TOLERANCE)


def test_embeddings(golden, near):
    case = golden("v2_e_embed")
    near(case.name, "displacement", embed_displacement(case["flow"]), case["flow_emb_cat"], TOLERANCE)
    for width in (456, 360, 1110):
        probe = time_table(16, width)[:, [1, 7, 15]]
        near(case.name, "time", probe, case[f"time_{width}_probe"], TOLERANCE)
    for width in (456, 360):
        table = position_table(96, 128, width)
        probe = table[0][:, [0, 0, 7, 95], [0, 5, 0, 127]].T
        near(case.name, "position", probe, case[f"pos_{width}_probe"], TOLERANCE)
        sampled = sample_maps(table, case["pos_pts"])
        near(case.name, "position, sampled", sampled, case[f"pos_{width}_sampled"], TOLERANCE)
        sums = torch.stack([table.double().sum(), table.double().square().sum()])
        near(case.name, "position, sums", sums, case[f"f64_pos_{width}_stats"], 1e-6, relative=True)


@pytest.mark.parametrize("radius", [3, 2])
def test_transformer(rule, golden, unit, near, radius):
    case = golden("v2_f_updateformer")
    transformer = rule.fill_(CoTracker2(corr_radius=radius), 11).updateformer
    active = case[f"r{radius}_mask"].bool()[None]
    frames, tracks = active.shape[1:]
    tokens = unit(f"uf/r{radius}/x", (1, tracks, frames, transformer.input_transform.in_features))
    with torch.no_grad():
        found = transformer(tokens, transformer.mask(active, tokens.dtype))
    near(case.name, f"radius {radius}", found, case[f"r{radius}_out"], TOLERANCE)


def test_transformer_blocks(model, golden, unit, near):
    case = golden("v2_f_updateformer")
    x, context = unit("blk/x", (2, 5, 384)), unit("blk/ctx", (2, 7, 384))
    transformer = model.updateformer
    queries, keys = case["blk_mq"].bool()[:, :, None], case["blk_mc"].bool()[:, None, :]
    with torch.no_grad():
        found = {
            "time0_out": transformer.time_blocks[0](x),
            "p2v0_querymask_out": transformer.space_point2virtual_blocks[0](x, context, queries),
            "v2p0_contextmask_out": transformer.space_virtual2point_blocks[0](x, context, keys),
            "attn_only_out": transformer.time_blocks[1].attn(x, x),
        }
    for name, value in found.items():
        near(case.name, "blocks", value, case[name], TOLERANCE)


def test_heads(model, golden, unit, near):
    case = golden("v2_f_heads")
    features, delta = unit("head/tf", (4, 128)), 3 * unit("head/df", (4, 128)) + 1
    with torch.no_grad():
        updated = features + model._feature_update(delta)
        near(case.name, "features", updated, case["new_feat"], TOLERANCE)
        near(case.name, "visibility", model.vis_predictor(updated), case["vis_logit"], TOLERANCE)
