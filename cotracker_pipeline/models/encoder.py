"""The convolutional encoder: one feature map per frame."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with instance norm; the second is rectified before it is added."""

    def __init__(self, in_channels: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.downsample = nn.Sequential(nn.Conv2d(in_channels, channels, 1, stride)) if stride > 1 else None

    def forward(self, x: Tensor) -> Tensor:
        """(B, C_in, H, W) to (B, C, ⌈H/stride⌉, ⌈W/stride⌉)."""
        y = F.relu(F.instance_norm(self.conv1(x)))
        y = F.relu(F.instance_norm(self.conv2(y)))
        skip = x if self.downsample is None else F.instance_norm(self.downsample(x))
        return F.relu(skip + y)


class Encoder(nn.Module):
    """Four residual stages at 1/2, 1/4, 1/8 and 1/16, resized to 1/stride and fused.

    Args:
        feature_dim: channels of the result.
        stride: pixels of the image per feature pixel.
        widths: channels of the stem and of the four stages.
    """

    def __init__(
        self,
        feature_dim: int = 128,
        stride: int = 4,
        widths: tuple[int, int, int, int, int] = (64, 64, 96, 128, 128),
    ) -> None:
        super().__init__()
        self.stride = stride
        self.conv1 = nn.Conv2d(3, widths[0], 7, stride=2, padding=3)
        self.layer1 = _stage(widths[0], widths[1], stride=1)
        self.layer2 = _stage(widths[1], widths[2], stride=2)
        self.layer3 = _stage(widths[2], widths[3], stride=2)
        self.layer4 = _stage(widths[3], widths[4], stride=2)
        self.conv2 = nn.Conv2d(sum(widths[1:]), 2 * feature_dim, 3, padding=1)
        self.conv3 = nn.Conv2d(2 * feature_dim, feature_dim, 1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor) -> Tensor:
        """Encode images.

        Args:
            images: (B, 3, H, W) in -1..1.

        Returns:
            (B, feature_dim, H // stride, W // stride).
        """
        size = (images.shape[-2] // self.stride, images.shape[-1] // self.stride)
        x = F.relu(F.instance_norm(self.conv1(images)))
        stages = []
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = stage(x)
            stages.append(F.interpolate(x, size, mode="bilinear", align_corners=True))
        x = F.relu(F.instance_norm(self.conv2(torch.cat(stages, dim=1))))
        return self.conv3(x)


def normalised(video: Tensor) -> Tensor:
    """Colours of 0..255 as -1..1."""
    return 2 * (video / 255) - 1


def unit_length(maps: Tensor) -> Tensor:
    """Feature maps (n, C, H, W) whose features have length 1."""
    lengths = maps.square().sum(dim=1, keepdim=True).clamp(min=1e-12).sqrt()
    return maps / lengths.to(maps.dtype)


def encode_video(encode: Callable[[Tensor], Tensor], video: Tensor) -> Tensor:
    """Encode each frame of a video.

    Args:
        encode: an ``Encoder``, or what computes it.
        video: (B, T, 3, H, W) RGB, 0..255.

    Returns:
        (B, T, feature_dim, H // stride, W // stride).
    """
    maps = encode(rearrange(normalised(video), "b t c h w -> (b t) c h w"))
    return rearrange(maps, "(b t) c h w -> b t c h w", b=len(video))


def _stage(in_channels: int, channels: int, stride: int) -> nn.Sequential:
    return nn.Sequential(ResidualBlock(in_channels, channels, stride), ResidualBlock(channels, channels, 1))
