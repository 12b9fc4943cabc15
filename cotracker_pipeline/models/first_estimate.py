"""Where refinement starts from in the frames of a window that no window has refined."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import MappingProxyType

import torch
import torch.nn.functional as F
from einops import rearrange, repeat
from torch import Tensor

from cotracker_pipeline.models.correlation import correlation_volume, neighbourhood
from cotracker_pipeline.models.shared_maps import apart
from cotracker_pipeline.models.windows import carry

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


class FirstEstimate(ABC):
    """Positions to start from, in feature pixels."""

    @abstractmethod
    def __call__(self, maps: Tensor, coords: Tensor, features: Tensor) -> Tensor:
        """Estimate.

        Args:
            maps: (V, S, C, H, W) feature maps of a window; B is a multiple of V (``shared_maps``).
            coords: (B, N, 2) positions of the queries as (x, y).
            features: (B, N, C) features there.

        Returns:
            (B, S, N, 2).
        """

    @abstractmethod
    def carried(self, coords: Tensor, estimate: Tensor) -> Tensor:
        """What the window before found, (B, n, N, 2), followed by new frames up to those of the estimate."""


class AtTheQuery(FirstEstimate):
    """Where a track was queried or, once it has started, last seen."""

    def __call__(self, maps: Tensor, coords: Tensor, features: Tensor) -> Tensor:
        """As ``FirstEstimate``."""
        del features
        return repeat(coords, "b n xy -> b s n xy", s=maps.shape[1])

    def carried(self, coords: Tensor, estimate: Tensor) -> Tensor:
        """As ``FirstEstimate``."""
        return carry(coords, estimate.shape[1])


class Matching(FirstEstimate):
    """The best match of its feature in every frame."""

    def __call__(self, maps: Tensor, coords: Tensor, features: Tensor) -> Tensor:
        """As ``FirstEstimate``."""
        del coords
        return apart(
            best_match(maps, rearrange(features, "(v k) n c -> v (k n) c", v=len(maps))), features.shape[1]
        )

    def carried(self, coords: Tensor, estimate: Tensor) -> Tensor:
        """As ``FirstEstimate``."""
        return torch.cat([coords, estimate[:, coords.shape[1] :]], dim=1)


FIRST_ESTIMATES: Mapping[str, type[FirstEstimate]] = MappingProxyType(
    {"query": AtTheQuery, "matching": Matching}
)
