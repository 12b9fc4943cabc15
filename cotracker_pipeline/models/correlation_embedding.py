"""CoTracker3's correlation: of all that lies around a query with all that lies around a track, embedded.

Around the query and around the position in every frame a grid of (2r+1)² features is sampled. Their dot
products are (2r+1)⁴ numbers a track and frame, which an MLP embeds; so on every level of the pyramid.
"""

from collections.abc import Collection, Mapping
from types import MappingProxyType

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from cotracker_pipeline.models.correlation import neighbourhood
from cotracker_pipeline.models.recomputation import recompute, recompute_if
from cotracker_pipeline.models.sampling import sample_maps, sample_volume

#: Tracks that ``LocalCorrelationEmbedding`` correlates at a time: features of 1.6 MB per frame and level.
TRACKS_AT_A_TIME = 64


class CorrelationEmbedding(nn.Module):
    """The plain computation: sampled features, products and hidden layer of all tracks at once.

    Args:
        radius: r, in pixels of each level.
        hidden_size, output_width: channels of the MLP's hidden layer and of its output.
        checkpoint: parts of an MLP to recompute, "hidden" or "gelu".
    """

    def __init__(
        self, radius: int, hidden_size: int, output_width: int, checkpoint: Collection[str] = ()
    ) -> None:
        super().__init__()
        self.radius = radius
        self.checkpoint = checkpoint
        self.fc1 = nn.Linear((2 * radius + 1) ** 4, hidden_size)
        self.fc2 = nn.Linear(hidden_size, output_width)

    def support(self, pyramid: list[Tensor], queries: Tensor) -> list[Tensor]:
        """Features around the queries.

        Args:
            pyramid: feature maps (V, T, C, H_l, W_l) of a clip.
            queries: (B, N, 3) as (t, x, y), in pixels of level 0; B is a multiple of V (``shared_maps``).

        Returns:
            Of each level (B, N, (2r+1)², C); x is the slow index.
        """
        return [self._support(maps, queries, level) for level, maps in enumerate(pyramid)]

    def forward(self, pyramid: list[Tensor], support: list[Tensor], coords: Tensor) -> Tensor:
        """Correlate and embed.

        Args:
            pyramid: feature maps (V·S, C, H_l, W_l) of a window.
            support: of ``support``.
            coords: (B, N, S, 2) as (x, y) in pixels of level 0, without gradient.

        Returns:
            (B, N, S, levels·output_width).
        """
        tracks, frames = coords.shape[1:3]
        videos = len(pyramid[0]) // frames
        centres = rearrange(coords, "(v k) n s xy -> v (k n) s xy", v=videos)
        levels = [
            self._level(maps, rearrange(features, "(v k) n j c -> v (k n) j c", v=videos), centres / 2**level)
            for level, (maps, features) in enumerate(zip(pyramid, support, strict=True))
        ]
        return rearrange(torch.cat(levels, dim=-1), "v (k n) s c -> (v k) n s c", n=tracks)

    def volume(self, maps: Tensor, support: Tensor, centres: Tensor) -> Tensor:
        """The dot products on one level: (B, N, S, (2r+1)⁴), the neighbours of the track before those of the
        query; both x before y.
        """
        points = centres[..., None, :] + neighbourhood(self.radius, centres)
        samples = sample_maps(maps, rearrange(points, "b n s k xy -> (b s) (n k) xy"))
        around = rearrange(samples, "(b s) (n k) c -> b n (s k) c", b=len(centres), n=centres.shape[1])
        products = torch.matmul(around, support.transpose(-1, -2))
        return rearrange(products, "b n (s k) j -> b n s (k j)", s=centres.shape[2])

    def mlp(self, volume: Tensor) -> Tensor:
        """Embed volumes (..., (2r+1)⁴) as (..., output_width)."""
        return self._contract(self.fc1(volume))

    def _support(self, maps: Tensor, queries: Tensor, level: int) -> Tensor:
        tracks = queries.shape[1]
        offsets = F.pad(neighbourhood(self.radius, queries), (1, 0))
        scale = queries.new_tensor([1, 2**-level, 2**-level])
        points = (queries * scale)[:, :, None] + offsets
        samples = sample_volume(
            rearrange(maps, "v t c h w -> v c t h w"),
            rearrange(points, "(v k) n j x -> v (k n j) x", v=len(maps)),
        )
        return rearrange(samples, "v (k n j) c -> (v k) n j c", n=tracks, j=len(offsets))

    def _level(self, maps: Tensor, support: Tensor, centres: Tensor) -> Tensor:
        volume = self.volume(maps, support, centres)
        if "hidden" in self.checkpoint:
            return recompute(self.mlp, volume)
        return self._contracted(self.fc1(volume))

    def _contracted(self, hidden: Tensor) -> Tensor:
        return recompute_if("gelu" in self.checkpoint, self._contract, hidden)

    def _contract(self, hidden: Tensor) -> Tensor:
        return self.fc2(F.gelu(hidden))


class LocalCorrelationEmbedding(CorrelationEmbedding):
    """Keeps positions and maps; features and products are computed again, of some tracks at a time."""

    def _level(self, maps: Tensor, support: Tensor, centres: Tensor) -> Tensor:
        parts = zip(
            support.split(TRACKS_AT_A_TIME, dim=1), centres.split(TRACKS_AT_A_TIME, dim=1), strict=True
        )
        return torch.cat([self._chunk(maps, *part) for part in parts], dim=1)

    def _chunk(self, maps: Tensor, support: Tensor, centres: Tensor) -> Tensor:
        if "hidden" in self.checkpoint:
            return recompute(self._embed, maps, support, centres)
        # the recomputation ends where the product would begin
        return self._contracted(recompute(self._expand, maps, support, centres))

    def _expand(self, maps: Tensor, support: Tensor, centres: Tensor) -> Tensor:
        return self.fc1(self.volume(maps, support, centres))

    def _embed(self, maps: Tensor, support: Tensor, centres: Tensor) -> Tensor:
        return self.mlp(self.volume(maps, support, centres))


CORRELATION_EMBEDDINGS: Mapping[str, type[CorrelationEmbedding]] = MappingProxyType(
    {"volume": CorrelationEmbedding, "local": LocalCorrelationEmbedding}
)
