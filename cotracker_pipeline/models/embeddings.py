"""Sine-cosine embeddings of time, position and displacement."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

#: Frequencies per axis of the displacement embedding.
DISPLACEMENT_FREQUENCIES = 32
#: Width of the displacement embedding: the raw displacement, then sines and cosines of both axes.
DISPLACEMENT_WIDTH = 2 + 2 * 2 * DISPLACEMENT_FREQUENCIES
#: Frequencies of the motion embedding, each twice the one before.
MOTION_FREQUENCIES = 10
#: Width of the motion embedding: raw motion to the next and to the last frame, its sines and its cosines.
MOTION_WIDTH = 4 + 2 * 4 * MOTION_FREQUENCIES


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


def resized_time_table(table: Tensor, frames: int) -> Tensor:
    """A table (1, T, width) for another number of ``frames``, linearly interpolated."""
    if table.shape[1] == frames:
        return table
    return F.interpolate(table.transpose(1, 2), frames, mode="linear").transpose(1, 2)


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


def relative_motion(coords: Tensor) -> Tensor:
    """How far a track is from where it is in the next and in the last frame; zero at the ends of the window.

    Args:
        coords: (..., S, 2) as (x, y).

    Returns:
        (..., S, 4) as (x, y) minus the next, (x, y) minus the last.
    """
    moves = coords[..., 1:, :] - coords[..., :-1, :]
    return torch.cat([F.pad(-moves, (0, 0, 0, 1)), F.pad(moves, (0, 0, 1, 0))], dim=-1)


def embed_motion(motion: Tensor) -> Tensor:
    """Embed ``relative_motion`` in units of the feature map's size.

    Args:
        motion: (..., 4).

    Returns:
        (..., 84): the motion, sines of 1, 2, 4, ... times it, and the same a quarter of a turn further.
    """
    scales = 2.0 ** torch.arange(MOTION_FREQUENCIES, dtype=motion.dtype, device=motion.device)
    angles = (scales[:, None] * motion[..., None, :]).flatten(-2)
    return torch.cat([motion, angles.sin(), (angles + math.pi / 2).sin()], dim=-1)
