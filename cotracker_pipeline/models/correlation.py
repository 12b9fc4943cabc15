"""Correlation of track features with the feature maps of a window."""

import math

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from cotracker_pipeline.models.sampling import sample_maps
from cotracker_pipeline.models.shared_maps import apart, together


def build_pyramid(maps: Tensor, levels: int) -> list[Tensor]:
    """Average-pool feature maps by two, ``levels - 1`` times.

    Args:
        maps: (B, S, C, H, W).
        levels: number of levels, the maps themselves included.

    Returns:
        List of (B, S, C, H // 2^l, W // 2^l).
    """
    batch = maps.shape[0]
    pyramid = [maps]
    for _ in range(levels - 1):
        pooled = F.avg_pool2d(rearrange(pyramid[-1], "b s c h w -> (b s) c h w"), 2)
        pyramid.append(rearrange(pooled, "(b s) c h w -> b s c h w", b=batch))
    return pyramid


def neighbourhood(radius: int, like: Tensor) -> Tensor:
    """Offsets of the (2r+1)² neighbours, as (x, y); x is the slow index.

    Returns:
        ((2r+1)², 2) with the dtype and device of ``like``.
    """
    steps = torch.arange(-radius, radius + 1, dtype=like.dtype, device=like.device)
    return torch.cartesian_prod(steps, steps)


def correlation_volume(features: Tensor, maps: Tensor) -> Tensor:
    """Dot products of features with the features of all pixels, over √C.

    Args:
        features: (..., N, C).
        maps: (..., C, H, W) with leading dimensions that broadcast to those of ``features``.

    Returns:
        (..., N, H·W).
    """
    return torch.matmul(features, maps.flatten(-2)) / math.sqrt(features.shape[-1])


class Correlation(nn.Module):
    """Dot products of a track's feature with the features around its position, on every level.

    The plain computation: the volume over all pixels, then bilinear samples of it.
    """

    def __init__(self, radius: int) -> None:
        super().__init__()
        self.radius = radius

    def layout(self, maps: Tensor) -> Tensor:
        """Feature maps (n, C, H, W) in the memory layout that suits this correlation."""
        return maps

    def pyramid(self, maps: Tensor, levels: int) -> list[Tensor]:
        """What ``forward`` needs of the maps (V, S, C, H, W) of a window."""
        return build_pyramid(maps, levels)

    def forward(self, pyramid: list[Tensor], features: Tensor, coords: Tensor) -> Tensor:
        """Correlate.

        Args:
            pyramid: of ``pyramid``.
            features: (B, S, N, C) track features; B is a multiple of V (``shared_maps``).
            coords: (B, S, N, 2) as (x, y) in pixels of level 0.

        Returns:
            (B, S, N, levels·(2r+1)²).
        """
        videos = len(pyramid[0])
        samples = self._sample(pyramid, together(features, videos), together(coords, videos))
        return apart(samples, features.shape[2])

    def _sample(self, pyramid: list[Tensor], features: Tensor, coords: Tensor) -> Tensor:
        """As ``forward``, where each sample has a video of its own."""
        offsets = neighbourhood(self.radius, coords)
        levels = [
            self._sample_level(maps, features, coords / 2**level, offsets)
            for level, maps in enumerate(pyramid)
        ]
        return torch.cat(levels, dim=-1)

    def _sample_level(self, maps: Tensor, features: Tensor, centres: Tensor, offsets: Tensor) -> Tensor:
        batch, frames, tracks, _ = features.shape
        height, width = maps.shape[-2:]
        volume = correlation_volume(features, maps).reshape(batch * frames * tracks, 1, height, width)
        points = centres[..., None, :] + offsets
        samples = sample_maps(volume, points.reshape(batch * frames * tracks, -1, 2))
        return samples.reshape(batch, frames, tracks, -1)
