"""Points that are tracked along to help those that are asked for."""

import torch
from torch import Tensor

#: Side in pixels of the square that ``local_support`` fills.
LOCAL_EXTENT = 50


def support_points(side: int, resolution: tuple[int, int]) -> Tensor:
    """A regular grid of queries on frame 0, a 64th of the width away from the border.

    Args:
        side: points per row and column.
        resolution: (height, width) in pixels.

    Returns:
        (1, side², 3) float32 as (t, x, y), row by row.
    """
    height, width = resolution
    if side == 1:
        return torch.tensor([[[0.0, width / 2, height / 2]]])
    margin = width / 64
    y, x = torch.meshgrid(
        torch.linspace(margin, height - margin, side),
        torch.linspace(margin, width - margin, side),
        indexing="ij",
    )
    return torch.stack([torch.zeros_like(x), x, y], dim=-1).reshape(1, -1, 3)


def local_support(side: int, points: Tensor) -> Tensor:
    """The same grid in a square of 50 pixels around each of ``points`` (N, 2): (N, side², 3)."""
    grid = support_points(side, (LOCAL_EXTENT, LOCAL_EXTENT)).to(points)
    grid[..., 1:] -= LOCAL_EXTENT / 2
    places = grid[..., 1:] + points[:, None]
    return torch.cat([grid[..., :1].expand(len(points), -1, -1), places], dim=-1)
