"""Recomputed correlation against the plain one: values, gradients, chunks of tracks, and what is kept."""

import pytest
import torch
from torch import Tensor

from cotracker_pipeline.models import correlation_embedding
from cotracker_pipeline.models.correlation import build_pyramid
from cotracker_pipeline.models.correlation_embedding import (
    CORRELATION_EMBEDDINGS,
    CorrelationEmbedding,
    LocalCorrelationEmbedding,
)

CHANNELS, FRAMES, TRACKS, HIDDEN = 6, 3, 5, 7


def module_of(kind: type[CorrelationEmbedding], checkpoint: tuple[str, ...] = ()) -> CorrelationEmbedding:
    torch.manual_seed(0)
    return kind(1, HIDDEN, 4, checkpoint).double()


def scene() -> tuple[Tensor, Tensor, Tensor]:
    """Maps (B, T, C, H, W), queries (B, N, 3), positions (B, N, S, 2), some outside of the maps."""
    generator = torch.Generator().manual_seed(1)

    def draw(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator, dtype=torch.float64)

    queries = torch.cat([torch.randint(0, FRAMES, (2, TRACKS, 1)), 8 * draw(2, TRACKS, 2)], dim=-1)
    return draw(2, FRAMES, CHANNELS, 8, 10), queries, 14 * draw(2, TRACKS, FRAMES, 2) - 2


def embed(module: CorrelationEmbedding) -> dict[str, Tensor]:
    """The embedding, and the gradients of maps and parameters under a random loss."""
    maps, queries, coords = scene()
    maps.requires_grad_()
    pyramid = build_pyramid(maps, 2)
    support = module.support(pyramid, queries)
    embedded = module([level.flatten(0, 1) for level in pyramid], support, coords)
    weights = torch.randn(embedded.shape, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    (embedded * weights).sum().backward()
    gradients = {name: parameter.grad for name, parameter in module.named_parameters()}
    return {"embedded": embedded.detach(), "maps": maps.grad, **gradients}


@pytest.mark.parametrize("at_a_time", [1, 2, 5, 64])
@pytest.mark.parametrize("checkpoint", [(), ("gelu",), ("hidden",)])
@pytest.mark.parametrize("kind", CORRELATION_EMBEDDINGS)
def test_nothing_changes(kind, checkpoint, at_a_time, monkeypatch):
    expected = embed(module_of(CorrelationEmbedding))
    monkeypatch.setattr(correlation_embedding, "TRACKS_AT_A_TIME", at_a_time)
    found = embed(module_of(CORRELATION_EMBEDDINGS[kind], checkpoint))
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-10, atol=1e-10, msg=name)


def kept(kind: type[CorrelationEmbedding], *checkpoint: str) -> int:
    """The largest tensor, in numbers a track and frame, that is kept for the backward pass."""
    module = module_of(kind, checkpoint)
    maps, queries, coords = scene()
    pyramid = build_pyramid(maps, 1)
    support = module.support(pyramid, queries)
    largest = 0

    def note(saved: Tensor) -> Tensor:
        nonlocal largest
        known = {each.data_ptr() for each in (*pyramid, *support, coords, *module.parameters())}
        if saved.data_ptr() not in known:
            largest = max(largest, saved.numel())
        return saved

    with torch.autograd.graph.saved_tensors_hooks(note, lambda saved: saved):
        module([level.flatten(0, 1) for level in pyramid], support, coords)
    return largest // (2 * TRACKS * FRAMES)


def test_neither_products_nor_sampled_features_are_kept():
    """Of (2r+1)⁴ products, what the MLP's first layer makes of them; with it recomputed, a position."""
    assert kept(CorrelationEmbedding) >= 81
    assert kept(LocalCorrelationEmbedding) == HIDDEN
    assert kept(LocalCorrelationEmbedding, "hidden") == 2


def test_products_by_hand():
    """The neighbours of the track are slow, those of the query fast; both x before y."""
    maps, queries, coords = scene()
    queries, coords = queries.round(), coords.round().clamp(1, 6)
    queries[..., 1:] = queries[..., 1:].clamp(1, 6)
    module = module_of(CorrelationEmbedding)
    [support] = module.support([maps], queries)
    volume = module.volume(maps.flatten(0, 1), support, coords).reshape(2, TRACKS, FRAMES, 3, 3, 3, 3)
    t, x, y = queries[1, 2].long().tolist()
    u, v = coords[1, 2, 1].long().tolist()
    for h, w, i, j in [(0, 0, 0, 0), (2, 0, 1, 2), (1, 2, 0, 1)]:
        expected = maps[1, 1, :, v + w - 1, u + h - 1] @ maps[1, t, :, y + j - 1, x + i - 1]
        assert volume[1, 2, 1, h, w, i, j].item() == pytest.approx(expected.item(), rel=1e-9)
