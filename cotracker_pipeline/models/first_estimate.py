"""Where refinement starts from: the best match of a track's feature in each frame of a window."""

import torch
import torch.nn.functional as F
from torch import Tensor

from cotracker_pipeline.models.correlation import correlation_volume, neighbourhood

#: Feature pixels around the best match that the soft-argmax averages over.
RADIUS = 2


@torch.no_grad()
def best_match(maps: Tensor, features: Tensor) -> Tensor:
    """Soft-argmax of the correlation around its maximum. Refinement stops gradients at positions anyway.

    Args:
        maps: (B, S, C, H, W) feature maps.
        features: (B, N, C) features of the tracks.

    Returns:
        (B, S, N, 2) float32 as (x, y) in feature pixels.
    """
    height, width = maps.shape[-2:]
    correlation = correlation_volume(features[:, None], maps)
    index = correlation.argmax(dim=-1)
    best = torch.stack([index % width, index // width], dim=-1)
    places = best[..., None, :] + neighbourhood(RADIUS, best)
    x, y = places.unbind(-1)
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    flat = y.clamp(0, height - 1) * width + x.clamp(0, width - 1)
    values = correlation.float().gather(-1, flat)
    weights = F.softmax(values.masked_fill(~inside, -torch.inf), dim=-1)
    return (weights[..., None] * places).sum(dim=-2)
