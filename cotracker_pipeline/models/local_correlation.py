"""Correlation without volumes: only the products that are sampled.

A bilinear sample is a weighted mean of its four neighbours, and so is its dot product with a feature. So the
(2r+1)² samples around a position follow from the dot products with its (2r+2)² integer neighbours. Neighbours
outside of the map are the border pixel next to them, as clamped positions make them.

Nothing is gathered: the operators behind ``embedding_bag`` multiply rows of a table right where they lie. A
track's feature is a bag, the map is the table, and the neighbours are the indices into it.
"""

import math
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

from cotracker_pipeline.models.correlation import Correlation

_SUM = 0  # the mode of ``embedding_bag``


class LocalCorrelation(Correlation):
    """``Correlation`` that keeps positions, features and the pyramid, and computes the rest again."""

    def layout(self, maps: Tensor) -> Tensor:
        """Channels last in memory, so that a pixel is a row."""
        return maps.contiguous(memory_format=torch.channels_last)

    def pyramid(self, maps: Tensor, levels: int) -> list[Tensor]:
        """As ``Correlation``, but each level (V, S, H_l, W_l, C)."""
        pooled = self.layout(maps.flatten(0, 1))
        pyramid = [pooled]
        for _ in range(levels - 1):
            pooled = F.avg_pool2d(pooled, 2)
            pyramid.append(pooled)
        return [rearrange(level, "(v s) c h w -> v s h w c", v=len(maps)) for level in pyramid]

    def _sample(self, pyramid: list[Tensor], features: Tensor, coords: Tensor) -> Tensor:
        """As ``Correlation``, with a pyramid of its own. Gives no gradient at the positions.

        Raises:
            ValueError: for positions that want a gradient.
        """
        if coords.requires_grad:
            raise ValueError("local correlation gives no gradient at positions; detach them")
        flat = features.flatten(0, 2).to(pyramid[0].dtype)
        levels = [level.flatten(0, 1) for level in pyramid]
        samples = _Samples.apply(self.radius, coords.flatten(0, 2), flat, *levels)
        return samples.unflatten(0, features.shape[:3])


class _Neighbours(NamedTuple):
    """The (2r+2)² integer neighbours of M positions on one level.

    pixels: (M·(2r+2)²,) int32 rows of the map, x the slow index; bags: the position of each; starts: (M,)
    where each position's neighbours begin; fractions: (M, 2) of a pixel as (x, y).
    """

    pixels: Tensor
    bags: Tensor
    starts: Tensor
    fractions: Tensor

    @classmethod
    def of(cls, centres: Tensor, radius: int, shape: torch.Size) -> "_Neighbours":
        """Around ``centres`` (M, 2), which are divided evenly among maps of ``shape`` (B·S, H, W, C)."""
        maps, height, width, _ = shape
        count, side = len(centres), 2 * radius + 2
        # beyond this all neighbours are the same border pixel
        sizes = torch.tensor([width, height], dtype=centres.dtype, device=centres.device)
        centres = torch.minimum(centres.clamp(min=-side), sizes + side)
        corner = centres.floor()
        steps = torch.arange(-radius, radius + 2, dtype=torch.int32, device=centres.device)
        x, y = (corner.int()[..., None] + steps).unbind(dim=1)
        x, y = x.clamp(0, width - 1), y.clamp(0, height - 1)
        first = torch.arange(maps, dtype=torch.int32, device=centres.device)[:, None, None, None]
        places = (y[:, None, :] * width + x[:, :, None]).view(maps, -1, side, side)
        pixels = (places + first * (height * width)).flatten()
        bags = torch.arange(count, dtype=torch.int32, device=centres.device)
        return cls(pixels, bags.repeat_interleave(side * side), bags * (side * side), centres - corner)

    def products(self, table: Tensor, features: Tensor) -> Tensor:
        """Dot products (M, 2r+2, 2r+2) of features (M, C) with their neighbours in a table (B·S·H·W, C)."""
        products = torch.ops.aten._embedding_bag_per_sample_weights_backward(
            features, table, self.pixels, self.starts, self.bags, _SUM
        )
        side = math.isqrt(len(products) // len(features))
        return products.view(-1, side, side)

    def gradient_of_features(self, table: Tensor, weights: Tensor) -> Tensor:
        """Sums (M, C) of the neighbours, weighted."""
        return torch.ops.aten._embedding_bag_forward_only(
            table, self.pixels, self.starts, False, _SUM, False, weights
        )[0]

    def gradient_of_table(self, features: Tensor, weights: Tensor, rows: int) -> Tensor:
        """Sums (``rows``, C) of the features whose neighbour a pixel is, weighted."""
        sizes = self.starts  # of the bags: read for means only
        return torch.ops.aten._embedding_bag_dense_backward(
            features, self.pixels, self.bags, sizes, sizes, rows, False, _SUM, weights
        )


class _Samples(torch.autograd.Function):
    """radius, positions (M, 2), features (M, C), levels (B·S, H, W, C) to samples (M, levels·(2r+1)²)."""

    @staticmethod
    def forward(ctx: Any, radius: int, coords: Tensor, features: Tensor, *pyramid: Tensor) -> Tensor:
        ctx.radius = radius
        ctx.save_for_backward(coords, features, *pyramid)
        scale = math.sqrt(features.shape[-1])
        samples = []
        for level, maps in enumerate(pyramid):
            neighbours = _Neighbours.of(coords / 2**level, radius, maps.shape)
            products = neighbours.products(maps.flatten(0, 2), features) / scale
            samples.append(_interpolate(products, neighbours.fractions).flatten(1))
        return torch.cat(samples, dim=-1)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Any:
        coords, features, *pyramid = ctx.saved_tensors
        # sums of many terms, which low precision would lose
        precise = features.to(gradient.dtype)
        scale = math.sqrt(features.shape[-1])
        of_features = torch.zeros_like(precise)
        of_levels: list[Tensor] = []
        for level, (maps, part) in enumerate(zip(pyramid, gradient.chunk(len(pyramid), dim=-1), strict=True)):
            neighbours = _Neighbours.of(coords / 2**level, ctx.radius, maps.shape)
            weights = (_spread(part, neighbours.fractions) / scale).flatten()
            table = maps.flatten(0, 2)
            of_features += neighbours.gradient_of_features(table.to(gradient.dtype), weights)
            of_levels.append(neighbours.gradient_of_table(precise, weights, len(table)).view(maps.shape))
        return None, None, of_features, *of_levels


def _interpolate(products: Tensor, fractions: Tensor) -> Tensor:
    """Products (M, 2r+2, 2r+2) at integers to samples (M, 2r+1, 2r+1) in between; x is the slow index."""
    x, y = fractions[:, 0, None, None], fractions[:, 1, None, None]
    along_x = products[:, :-1] * (1 - x) + products[:, 1:] * x
    return along_x[..., :-1] * (1 - y) + along_x[..., 1:] * y


def _spread(gradient: Tensor, fractions: Tensor) -> Tensor:
    """The gradient (M, (2r+1)²) of samples as that (M, 2r+2, 2r+2) of the products."""
    x, y = fractions[:, 0, None, None], fractions[:, 1, None, None]
    side = math.isqrt(gradient.shape[-1])
    samples = gradient.unflatten(-1, (side, side))
    along_x = F.pad(samples * (1 - y), (0, 1)) + F.pad(samples * y, (1, 0))
    return F.pad(along_x * (1 - x), (0, 0, 0, 1)) + F.pad(along_x * x, (0, 0, 1, 0))
