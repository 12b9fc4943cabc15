"""Sine-cosine embeddings of time, position and displacement."""

import torch
from torch import Tensor

#: Frequencies per axis of the displacement embedding.
DISPLACEMENT_FREQUENCIES = 32
#: Width of the displacement embedding: the raw displacement, then sines and cosines of both axes.
DISPLACEMENT_WIDTH = 2 + 2 * 2 * DISPLACEMENT_FREQUENCIES


def sincos_table(positions: Tensor, width: int) -> Tensor:
    """Embed scalar positions: first all sines, then all cosines, wavelengths up to 10000·2π.

    Args:
        positions: (P,) any real dtype.
        width: channels; must be even.

    Returns:
        (P, width) float32, computed in float64.

    Raises:
        ValueError: for an odd width.
    """
    if width % 2:
        raise ValueError(f"a sine-cosine table needs an even width, not {width}")
    exponents = torch.arange(width // 2, dtype=torch.float64) / (width / 2)
    angles = positions.to(torch.float64)[:, None] * 10000.0**-exponents
    return torch.cat([angles.sin(), angles.cos()], dim=1).float()


def time_table(frames: int, width: int) -> Tensor:
    """Embedding of the frame index: (1, frames, width) float32."""
    return sincos_table(torch.arange(frames), width)[None]


def position_table(height: int, width: int, channels: int) -> Tensor:
    """Embedding of a pixel: the first half of the channels encodes x, the second half y.

    Returns:
        (1, channels, height, width) float32.
    """
    along_x = sincos_table(torch.arange(width), channels // 2)
    along_y = sincos_table(torch.arange(height), channels // 2)
    x = along_x.T[:, None, :].expand(-1, height, -1)
    y = along_y.T[:, :, None].expand(-1, -1, width)
    return torch.cat([x, y])[None].contiguous()


def embed_displacement(displacement: Tensor) -> Tensor:
    """Embed 2-vectors in feature pixels; frequencies reach 968.75 rad per pixel, so keep them in float32.

    Args:
        displacement: (..., 2) as (x, y).

    Returns:
        (..., 130): x, y, then for x and for y 32 interleaved (sine, cosine) pairs.
    """
    steps = torch.arange(DISPLACEMENT_FREQUENCIES, dtype=displacement.dtype, device=displacement.device)
    angles = displacement[..., None] * (steps * (1000.0 / DISPLACEMENT_FREQUENCIES))
    waves = torch.stack([angles.sin(), angles.cos()], dim=-1)
    return torch.cat([displacement, waves.flatten(-3)], dim=-1)
