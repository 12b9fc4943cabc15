"""Bilinear sampling of feature maps at points, in pixel indices.

Pixel centres are at integer coordinates (``align_corners=True``) and points outside the map take the value
of the nearest border pixel.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def sample_maps(maps: Tensor, points: Tensor) -> Tensor:
    """Sample 2-D maps bilinearly.

    Args:
        maps: (B, C, H, W) floating point.
        points: (B, R, 2) as (x, y) in pixel indices of the maps.

    Returns:
        (B, R, C) values; the dtype follows autocast's promotion of ``grid_sample``.
    """
    height, width = maps.shape[-2:]
    grid = _normalised(points, (width, height))
    values = F.grid_sample(maps, grid[:, :, None], padding_mode="border", align_corners=True)
    return values[..., 0].transpose(1, 2)


def sample_volume(volume: Tensor, points: Tensor) -> Tensor:
    """Sample a video of feature maps trilinearly.

    Args:
        volume: (B, C, T, H, W) floating point.
        points: (B, R, 3) as (t, x, y): frame index and pixel indices.

    Returns:
        (B, R, C) values.
    """
    frames, height, width = volume.shape[-3:]
    grid = _normalised(points[..., [1, 2, 0]], (width, height, frames))
    values = F.grid_sample(volume, grid[:, :, None, None], padding_mode="border", align_corners=True)
    return values[..., 0, 0].transpose(1, 2)


def _normalised(points: Tensor, sizes: tuple[int, ...]) -> Tensor:
    """Pixel indices to the -1..1 of ``grid_sample``; an axis of size 1 has only one place to be."""
    scale = torch.tensor([2.0 / max(size - 1, 1) for size in sizes], dtype=points.dtype, device=points.device)
    return points * scale - 1
