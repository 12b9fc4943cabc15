"""Supervised matching: training an encoder so that a point's feature finds the point in another frame."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from cotracker_pipeline.models.sampling import sample_maps


def matching_loss(maps: Tensor, points: Tensor, visible: Tensor, stride: int) -> Tensor:
    """Cross-entropy of the true position among all positions of a feature map.

    The logits are the correlation that the tracker itself reads: dot product over √C.

    Args:
        maps: (B, 2, C, H, W) feature maps of two frames.
        points: (B, 2, N, 2) pixel indices of the same points in both frames.
        visible: (B, N) boolean, points that both frames show.
        stride: pixels of the image per feature pixel.

    Returns:
        Mean over visible points, a scalar.
    """
    height, width = maps.shape[-2:]
    source, target = points.unbind(1)
    features = sample_maps(maps[:, 0], source / stride)
    logits = torch.matmul(features, maps[:, 1].flatten(-2)) / math.sqrt(features.shape[-1])
    log_probability = F.log_softmax(logits, dim=-1).unflatten(-1, (height, width))
    # reading the log-probability bilinearly weighs the four pixels around the true position
    batch, count = visible.shape
    at_target = sample_maps(
        log_probability.reshape(batch * count, 1, height, width), target.reshape(-1, 1, 2) / stride
    )
    weights = visible.float()
    return -(at_target.reshape(batch, count) * weights).sum() / weights.sum().clamp(min=1)
