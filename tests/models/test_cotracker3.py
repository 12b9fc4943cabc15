"""What is mended in CoTracker3's trackers, and that they go where CoTracker2 goes."""

import pytest
import torch
from small_models import TINY_OF
from torch import Tensor

from cotracker_pipeline.config import Recipe, Strategy
from cotracker_pipeline.models import CoTracker3Online
from cotracker_pipeline.models.build import build_model
from cotracker_pipeline.models.checkpoints import load_model, save_model
from cotracker_pipeline.models.tracker import Tracker

COORDS, PROBABILITY = 2e-4, 2e-5
KINDS = ("cotracker3-online", "cotracker3-offline")


def tiny(kind: str, **recipe: object) -> Tracker:
    torch.manual_seed(0)
    model = build_model(TINY_OF[kind], Recipe(corr_radius=1, **recipe), Strategy())
    # untrained updates are near zero, and would hide what they read
    torch.nn.init.normal_(model.updateformer.flow_head.weight, std=0.1)
    return model


def clip(batch: int, frames: int, tracks: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(2)
    video = 255 * torch.rand(batch, frames, 3, 32, 48, generator=generator)
    points = 30 * torch.rand(batch, tracks, 2, generator=generator)
    when = torch.randint(0, frames, (batch, tracks, 1), generator=generator)
    return video, torch.cat([when, points], dim=-1)


def track(model: Tracker, video: Tensor, queries: Tensor) -> tuple[Tensor, ...]:
    with torch.no_grad():
        return model(video, queries, 2)[:3]


def test_clips_of_half_a_window_are_tracked(rule, golden):
    """Mended: the official online model returns zeros for T ≤ S/2; here a short clip is one padded window."""
    case = golden("v3_g_online_short_T6")
    model = rule.fill_(CoTracker3Online(case.meta["window_len"]), case.meta["seed"])
    video = case.video
    padded = torch.cat([video, *[video[:, -1:]] * 6], dim=1)
    assert case["coords"].abs().max() == 0
    found, longer = (track(model, each, case["queries"]) for each in (video, padded))
    for ours, theirs, tolerance in zip(found, longer, (COORDS, PROBABILITY, PROBABILITY), strict=True):
        assert (ours - theirs[:, :6]).abs().max() < tolerance
    assert found[0].abs().min() > 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_is_its_samples(kind):
    """Mended: the official model crashes on more than one sample, and its trainer refuses them."""
    model = tiny(kind).double()
    video, queries = (each.double() for each in clip(3, 9, 4))
    together = track(model, video, queries)
    for sample in range(3):
        alone = track(model, video[sample, None], queries[sample, None])
        for ours, theirs in zip(together, alone, strict=True):
            torch.testing.assert_close(ours[sample], theirs[0], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("masked", "noticed"), [(True, False), (False, True)])
def test_a_track_is_hidden_until_it_is_queried(masked, noticed):
    """Mended: the official online model computes the mask of attention and does not use it."""
    model = tiny("cotracker3-online", use_attention_mask=masked)
    video, queries = clip(1, 9, 4)
    never = torch.tensor([[[99.0, 5.0, 5.0]]])
    with_never = track(model, video, torch.cat([queries, never], dim=1))
    alone = track(model, video, queries)
    moved = (with_never[0][:, :, :4] - alone[0]).abs().max().item()
    assert (moved > 1e-3) == noticed
    assert noticed or moved < 1e-4


@pytest.mark.parametrize("kind", KINDS)
def test_bf16_leaves_queries_as_they_are(kind):
    """Mended: the published trainer rounds queries to bf16, which near 300 are multiples of 2 pixels."""
    model = build_model(TINY_OF[kind], Recipe(corr_radius=1), Strategy(precision="bf16"))
    torch.nn.init.zeros_(model.updateformer.flow_head.weight)
    video, _ = clip(1, 3, 1)
    queries = torch.tensor([[[0.0, 301.3, 17.7]]])
    coords, visibility, confidence = track(model, video, queries)
    assert coords.dtype == visibility.dtype == confidence.dtype == torch.float32
    assert torch.allclose(coords, queries[:, None, :, 1:].expand_as(coords), rtol=0, atol=1e-4)


@pytest.mark.parametrize("frames", [1, 2, 5, 12])
@pytest.mark.parametrize("kind", KINDS)
def test_clips_of_any_length(kind, frames):
    model = tiny(kind)
    *found, predictions = model(*clip(2, frames, 3), 2, is_train=True)
    assert [tuple(each.shape) for each in found] == [(2, frames, 3, 2), (2, frames, 3), (2, frames, 3)]
    assert all(torch.isfinite(each).all() for each in found)
    assert predictions.mask.shape == (2, frames, 3)


def test_offline_trains_every_frame_and_online_those_from_the_query_on():
    video, queries = clip(1, 6, 3)
    masks = [tiny(kind)(video, queries, 1, is_train=True)[-1].mask for kind in KINDS]
    assert torch.equal(masks[0], queries[:, None, :, 0] <= torch.arange(6)[:, None])
    assert masks[1].all()


def test_windows_are_coupled_by_visibility_and_not_by_positions():
    """What the second window starts from was added to in the first: with a gradient for visibility only."""
    model = tiny("cotracker3-online")
    video, queries = clip(1, 6, 3)
    queries[..., 0] = 0
    *_, predictions = model(video, queries, 1, is_train=True)
    visibility, coords = predictions.visibility_logits[1][0], predictions.coords[1][0] / model.stride
    transformer = model.updateformer
    biases = [transformer.vis_conf_head.bias, transformer.flow_head.bias]
    [of_visibility, _] = torch.autograd.grad(visibility.sum(), biases, retain_graph=True)
    [_, of_coords] = torch.autograd.grad(coords.sum(), biases, retain_graph=True)
    assert of_visibility[0].item() > 1.5 * visibility.numel()
    assert of_coords[0].item() == pytest.approx(visibility.numel())


@pytest.mark.parametrize("kind", KINDS)
def test_a_checkpoint_comes_back(kind, tmp_path):
    model, recipe = tiny(kind), Recipe(corr_radius=1)
    save_model(tmp_path / "model.safetensors", model, TINY_OF[kind], recipe)
    loaded = load_model(tmp_path / "model.safetensors", Strategy())
    assert loaded.size == TINY_OF[kind]
    assert loaded.recipe == recipe
    video, queries = clip(1, 7, 3)
    for ours, theirs in zip(track(loaded.model, video, queries), track(model, video, queries), strict=True):
        assert torch.equal(ours, theirs)


def test_the_published_loss_reads_what_skipping_leaves_out():
    """So with it nothing is skipped; elsewhere a strategy never changes what is learned."""
    size, strategy = TINY_OF["cotracker3-online"], Strategy(skip_unused=True)
    assert build_model(size, Recipe(), strategy).strategy.skip_unused
    assert not build_model(size, Recipe(loss="published"), strategy).strategy.skip_unused
