"""Where refinement starts from in the frames of a window that no window has refined."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
import torch.nn.functional as F
from einops import rearrange, repeat
from torch import Tensor

from cotracker_pipeline.models.correlation import correlation_volume, neighbourhood
from cotracker_pipeline.models.shared_maps import apart

#: Feature pixels around the best match that the soft-argmax averages over.
RADIUS = 2
#: What a match loses per square of the feature pixels that it lies away from the frame before. The best on
#: scenes beside those of the default study, where it brings 5 points of δ.
DISTANCE_COST = 0.1


def best_match(correlation: Tensor, near: Tensor) -> Tensor:
    """Soft-argmax of the correlation around its maximum, which costs more the further away it lies.

    Args:
        correlation: (B, N, H, W) of N features with a map.
        near: (B, N, 2) where the features were in the frame before, as (x, y) in feature pixels.

    Returns:
        (B, N, 2) float32 as (x, y) in feature pixels.
    """
    height, width = correlation.shape[-2:]
    correlation = correlation.float()
    x = torch.arange(width, device=near.device) - near[..., :1]
    y = torch.arange(height, device=near.device) - near[..., 1:]
    cost = DISTANCE_COST * (x.square()[..., None, :] + y.square()[..., None])
    index = (correlation - cost).flatten(-2).argmax(dim=-1)
    best = torch.stack([index % width, index // width], dim=-1)
    places = best[..., None, :] + neighbourhood(RADIUS, best)
    x, y = places.unbind(-1)
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    flat = y.clamp(0, height - 1) * width + x.clamp(0, width - 1)
    values = correlation.flatten(-2).gather(-1, flat)
    weights = F.softmax(values.masked_fill(~inside, -torch.inf), dim=-1)
    return (weights[..., None] * places).sum(dim=-2)


@torch.no_grad()
def follow(maps: Tensor, features: Tensor, start: Tensor, since: Tensor) -> Tensor:
    """Best matches from frame to frame, after and before one in which the position is known.

    Refinement stops gradients at positions anyway.

    Args:
        maps: (B, S, C, H, W) feature maps.
        features: (B, N, C) features of the tracks.
        start: (B, N, 2) the known positions as (x, y) in feature pixels.
        since: (B, N) their frames; tracks of frames beyond S stay there.

    Returns:
        (B, S, N, 2) as (x, y) in feature pixels.
    """
    length, size = maps.shape[1], maps.shape[-2:]
    correlation = correlation_volume(features[:, None], maps).unflatten(-1, size)

    def walk(frames: range, moves: Callable[[int], Tensor]) -> list[Tensor]:
        coords, found = start, []
        for frame in frames:
            match = best_match(correlation[:, frame], coords).to(start)
            coords = torch.where(moves(frame)[..., None], match, coords)
            found.append(coords)
        return found

    after = walk(range(length), lambda frame: since < frame)
    before = walk(range(length - 1, -1, -1), lambda frame: (since > frame) & (since < length))
    is_after = since[:, None] < torch.arange(length, device=since.device)[None, :, None]
    return torch.where(is_after[..., None], torch.stack(after, dim=1), torch.stack(before[::-1], dim=1))


class FirstEstimate(ABC):
    """Positions to start from, in feature pixels."""

    def __call__(
        self, maps: Tensor, coords: Tensor, frames: Tensor, features: Tensor, before: Tensor | None
    ) -> Tensor:
        """Estimate.

        Args:
            maps: (V, S, C, H, W) feature maps of a window; B is a multiple of V (``shared_maps``).
            coords: (B, N, 2) positions of the queries as (x, y).
            frames: (B, N) their frames, counted from the start of the window.
            features: (B, N, C) features there.
            before: (B, n, N, 2) what the window before found in the first n frames, if there was one.

        Returns:
            (B, S, N, 2); of tracks that are queried in the first n frames or earlier, n frames of ``before``
            and then estimates from the last of these on.
        """
        if before is None:
            return self._estimate(maps, coords, frames, features)
        known = before.shape[1]
        started = frames < known
        start = torch.where(started[..., None], before[:, -1], coords)
        estimate = self._estimate(maps, start, torch.where(started, known - 1, frames), features)
        carried = torch.cat([before, estimate[:, known:]], dim=1)
        return torch.where(started[:, None, :, None], carried, estimate)

    @abstractmethod
    def _estimate(self, maps: Tensor, start: Tensor, since: Tensor, features: Tensor) -> Tensor:
        """(B, S, N, 2), from positions (B, N, 2) that are known in frames (B, N) of the window."""


class AtTheQuery(FirstEstimate):
    """Where a track was queried or, once it has started, last seen."""

    def _estimate(self, maps: Tensor, start: Tensor, since: Tensor, features: Tensor) -> Tensor:
        del since, features
        return repeat(start, "b n xy -> b s n xy", s=maps.shape[1])


class Matching(FirstEstimate):
    """The best match of its feature in every frame, near that in the frame before."""

    def _estimate(self, maps: Tensor, start: Tensor, since: Tensor, features: Tensor) -> Tensor:
        of_video = (
            rearrange(each, "(v k) n ... -> v (k n) ...", v=len(maps)) for each in (features, start, since)
        )
        return apart(follow(maps, *of_video), features.shape[1])


FIRST_ESTIMATES: Mapping[str, type[FirstEstimate]] = MappingProxyType(
    {"query": AtTheQuery, "matching": Matching}
)
