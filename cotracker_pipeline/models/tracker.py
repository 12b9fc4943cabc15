"""What all trackers share: they encode a video frame by frame, and then track points in its feature maps."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from einops import rearrange
from torch import Tensor, nn

from cotracker_pipeline.config import Strategy
from cotracker_pipeline.models.attention import Mask
from cotracker_pipeline.models.encoder import Encoder, encode_video, normalised
from cotracker_pipeline.models.offload import offloading
from cotracker_pipeline.models.precision import autocast
from cotracker_pipeline.models.predictions import ConfidentPredictions, WindowPredictions, from_query_on
from cotracker_pipeline.models.recomputation import recompute_if
from cotracker_pipeline.models.transformer import UpdateTransformer


class Tracker(nn.Module, ABC):
    """A tracker of points through a clip.

    Args:
        encoder: makes the feature maps.
        strategy: how to compute; never changes what is computed.
    """

    updateformer: UpdateTransformer
    #: What the forward pass returns in training.
    predictions: ClassVar[type[WindowPredictions] | type[ConfidentPredictions]]

    def __init__(self, encoder: Encoder, strategy: Strategy) -> None:
        super().__init__()
        self.strategy = strategy
        self.stride = encoder.stride
        self.fnet = encoder

    def forward(
        self,
        video: Tensor,
        queries: Tensor,
        iters: int = 4,
        is_train: bool = False,
        active_tracks: Sequence[int] | None = None,
    ) -> tuple[Any, ...]:
        """Track points through a clip.

        Args:
            video: (B, T, 3, H, W) RGB, 0..255.
            queries: (B, N, 3) float32 as (t, x, y): frame index and pixel indices (centres at integers).
            iters: refinement iterations per window.
            is_train: also return the predictions of every window and iteration.
            active_tracks: for every one of ``windows``, how many tracks of a sample are queried before its
                end at most. Only for meta tensors, of which it cannot be counted; there without it all are.

        Returns:
            coords (B, T, N, 2) float32 pixel indices, visibility (B, T, N) probabilities, where the model
            has it confidence (B, T, N), and last, in training, the predictions; else None. Frames before a
            track's query are unspecified.
        """
        with offloading(self, self.strategy.offload):
            return self.track(self.encode(video), queries, iters, is_train, active_tracks)

    @abstractmethod
    def track(
        self,
        maps: Tensor,
        queries: Tensor,
        iters: int = 4,
        is_train: bool = False,
        active_tracks: Sequence[int] | None = None,
    ) -> tuple[Any, ...]:
        """As the forward pass, from the feature maps that ``encode`` made of the video.

        The maps may be those of fewer videos than there are samples: each video is shared by as many
        consecutive samples (``shared_maps``).
        """

    @abstractmethod
    def windows(self, frames: int) -> list[range]:
        """The frames that are refined together, of a clip of ``frames``; the last may reach beyond it."""

    def trained_frames(self, queries: Tensor, frames: int) -> Tensor:
        """(B, T, N) boolean: the frames in which the positions of ``queries`` (B, N, 3) are trained."""
        return from_query_on(queries, frames)

    def blank_predictions(
        self, queries: Tensor, frames: int, iters: int
    ) -> WindowPredictions | ConfidentPredictions:
        """What training sees of ``queries`` (B, N, 3) in a clip of ``frames``, with zeros as predictions."""
        return self.predictions.blank(self.windows(frames), self.trained_frames(queries, frames), iters)

    @abstractmethod
    def _features(self, images: Tensor) -> Tensor:
        """(n, 3, H, W) in -1..1 to (n, C, H/stride, W/stride)."""

    def encode(self, video: Tensor) -> Tensor:
        """Encode each frame of a video: (B, T, 3, H, W) RGB, 0..255, to (B, T, C, H/stride, W/stride)."""
        if self.strategy.encoder_chunk:
            maps = self._encode_in_chunks(video.flatten(0, 1))
            return rearrange(maps, "(b t) c h w -> b t c h w", b=len(video))
        return encode_video(self._encode_images, video)

    def _encode_in_chunks(self, frames: Tensor) -> Tensor:
        """As ``_encode_images``, of (n, 3, H, W) in 0..255, some at a time: exact, as frames do not mix."""
        recomputed = "encoder" in self.strategy.checkpoint
        chunks = frames.split(self.strategy.encoder_chunk)
        return torch.cat([recompute_if(recomputed, self._encode_frames, chunk) for chunk in chunks])

    def _encode_frames(self, frames: Tensor) -> Tensor:
        return self._encode(normalised(frames))

    def _encode_images(self, images: Tensor) -> Tensor:
        """(n, 3, H, W) in -1..1 to (n, C, H/stride, W/stride)."""
        return recompute_if("encoder" in self.strategy.checkpoint, self._encode, images)

    def _encode(self, images: Tensor) -> Tensor:
        # entered again here because a recomputation runs outside of the forward pass
        with autocast(self.strategy.precision, images.device):
            return self._features(images)

    def _update(self, tokens: Tensor, mask: Mask) -> Tensor:
        """A method of this model, by which predictions of memory know a part that is repeated."""
        return self.updateformer(tokens, mask)
