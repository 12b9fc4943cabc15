"""Supervised matching: training an encoder so that a point's feature finds the point in another frame."""

from itertools import permutations

import torch.nn.functional as F
from torch import Tensor

from cotracker_pipeline.models.correlation import correlation_volume
from cotracker_pipeline.models.sampling import sample_maps


def matching_loss(maps: Tensor, points: Tensor, visible: Tensor, stride: int) -> Tensor:
    """Cross-entropy of the true position among all positions of a feature map, over all pairs of frames.

    The logits are the correlation that the tracker itself reads.

    Args:
        maps: (B, F, C, H, W) feature maps of at least two frames.
        points: (B, F, N, 2) pixel indices of the same points in all frames.
        visible: (B, F, N) boolean.
        stride: pixels of the image per feature pixel.

    Returns:
        Mean over the matches, which are points that both frames of a pair show; a scalar.
    """
    total = matches = maps.new_zeros(())
    for source, target in permutations(range(maps.shape[1]), 2):
        features = sample_maps(maps[:, source], points[:, source] / stride)
        shown = (visible[:, source] & visible[:, target]).float()
        surprise = -_log_probability(features, maps[:, target], points[:, target] / stride)
        total = total + (surprise * shown).sum()
        matches = matches + shown.sum()
    return total / matches.clamp(min=1)


def _log_probability(features: Tensor, maps: Tensor, points: Tensor) -> Tensor:
    """Of finding features (B, N, C) at points (B, N, 2) of maps (B, C, H, W): (B, N)."""
    batch, count, _ = features.shape
    everywhere = F.log_softmax(correlation_volume(features, maps), dim=-1).reshape(
        batch * count, 1, *maps.shape[-2:]
    )
    # reading the log-probability bilinearly weighs the four pixels around the true position
    return sample_maps(everywhere, points.reshape(-1, 1, 2)).reshape(batch, count)
