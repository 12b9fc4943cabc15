"""The matching loss of the warm-up."""

import torch

from cotracker_pipeline.training.matching import matching_loss


def test_knows_the_true_position_and_ignores_hidden_points():
    channels = 64
    # every feature pixel has a code of its own, so the correlation peaks at the same pixel
    maps = 40 * torch.eye(channels).reshape(channels, 8, 8)
    maps = maps.expand(1, 2, -1, -1, -1)
    points = torch.tensor([[4.0, 8.0], [20.0, 12.0]]).expand(1, 2, -1, -1).clone()
    visible = torch.ones(1, 2, 2, dtype=torch.bool)
    assert matching_loss(maps, points, visible, stride=4).item() < 1e-3
    points[:, 1, 1] += 8
    wrong = matching_loss(maps, points, visible, stride=4).item()
    assert wrong > 50
    visible[:, 0, 1] = False
    assert matching_loss(maps, points, visible, stride=4).item() < 1e-3


def test_is_the_mean_over_all_matches_of_all_pairs():
    random = torch.Generator().manual_seed(0)
    maps = torch.randn(2, 3, 8, 6, 6, generator=random)
    points = 5 * torch.rand(2, 3, 7, 2, generator=random)
    visible = torch.rand(2, 3, 7, generator=random) < 0.7
    total = matches = 0.0
    for a in range(3):
        for b in range(3):
            count = (visible[:, a] & visible[:, b]).sum().item() if a != b else 0
            if count:
                pair = [a, b]
                both = matching_loss(maps[:, pair], points[:, pair], visible[:, pair], stride=1).item()
                # the mean of both directions, so half of it comes from each
                total += both * count
                matches += count
    assert abs(matching_loss(maps, points, visible, stride=1).item() - total / matches) < 1e-4
