"""Videos as trackers need them: resized and encoded."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from cotracker_pipeline.models.tracker import Tracker


class EncodedVideo(NamedTuple):
    """What tracking needs of a video.

    maps: (B, T, C, H', W') feature maps; size: (height, width) of the video in pixels.
    """

    maps: Tensor
    size: tuple[int, int]

    def reversed(self) -> "EncodedVideo":
        """The same, played backwards."""
        return self._replace(maps=self.maps.flip(1))


@torch.inference_mode()
def encoded(model: Tracker, video: Tensor, resolution: tuple[int, int]) -> EncodedVideo:
    """Encode a video (B, T, 3, H, W) RGB, 0..255, at ``resolution`` (height, width)."""
    height, width = video.shape[-2:]
    return EncodedVideo(model.encode(resized(video, resolution)), (height, width))


def resized(video: Tensor, resolution: tuple[int, int]) -> Tensor:
    """A video (B, T, 3, H, W) at ``resolution`` (height, width)."""
    frames = F.interpolate(video.flatten(0, 1), resolution, mode="bilinear", align_corners=True)
    return frames.unflatten(0, video.shape[:2])


def pixel_scale(size: tuple[int, int], resolution: tuple[int, int]) -> Tensor:
    """What pixel indices of a video of ``size`` are multiplied by when it is resized: (2,) as (x, y)."""
    height, width = size
    return torch.tensor([(resolution[1] - 1) / max(width - 1, 1), (resolution[0] - 1) / max(height - 1, 1)])
