"""The matching loss of the warm-up."""

import torch

from cotracker_pipeline.training.matching import matching_loss


def test_knows_the_true_position_and_ignores_hidden_points():
    channels = 64
    # every feature pixel has a code of its own, so the correlation peaks at the same pixel
    maps = 40 * torch.eye(channels).reshape(channels, 8, 8)
    maps = maps.expand(1, 2, -1, -1, -1)
    points = torch.tensor([[4.0, 8.0], [20.0, 12.0]]).expand(1, 2, -1, -1).clone()
    visible = torch.tensor([[True, True]])
    assert matching_loss(maps, points, visible, stride=4).item() < 1e-3
    points[:, 1, 1] += 8
    wrong = matching_loss(maps, points, visible, stride=4).item()
    assert wrong > 50
    assert matching_loss(maps, points, torch.tensor([[True, False]]), stride=4).item() < 1e-3
