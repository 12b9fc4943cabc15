"""What a user asks to be tracked: a regular grid, the part of it inside of a mask, or every pixel."""

import math

import numpy as np
from numpy.typing import NDArray

from cotracker_pipeline.data.coordinates import PIXEL_CENTRE, index_to_raster
from cotracker_pipeline.models.encoded_video import pixel_scale
from cotracker_pipeline.models.support_points import support_points

Queries = NDArray[np.float64]
"""(N, 3) as (t, x, y): frame, and raster pixels of the video."""

MOST_AT_ONCE = 4800
"""Points that are tracked at once when every pixel is: 80 columns and 60 rows, as published."""


def grid_queries(side: int, frame: int, size: tuple[int, int], resolution: tuple[int, int]) -> Queries:
    """A regular grid of ``side`` rows and columns in one frame, regular at the resolution of the model.

    size, resolution: (height, width) of the video and of what the model sees, in pixels.
    """
    grid = support_points(side, resolution)[0, :, 1:] / pixel_scale(size, resolution)
    places = index_to_raster(grid.double().numpy())
    return np.column_stack([np.full(len(places), float(frame)), places])


def pixel_queries(frame: int, size: tuple[int, int]) -> Queries:
    """The centre of every pixel of a frame of ``size`` (height, width), row by row."""
    row, column = (axis.ravel() for axis in np.indices(size))
    return np.column_stack([np.full(row.size, float(frame)), column + PIXEL_CENTRE, row + PIXEL_CENTRE])


def inside(queries: Queries, mask: NDArray[np.bool_]) -> Queries:
    """Those of ``queries`` whose pixel is true in ``mask`` (H, W), in their order."""
    height, width = mask.shape
    # the far edge of an image belongs to its last pixel
    column, row = np.minimum(np.floor(queries[:, 1:]).astype(np.int64), (width - 1, height - 1)).T
    return queries[mask[row, column]]


def interleaved(queries: Queries, size: tuple[int, int]) -> list[NDArray[np.int64]]:
    """Divide queries at different pixels into groups that are each a sparse grid over all of the frame.

    Tracked alone, a group still sees the whole of the frame move.

    size: (height, width) of the video in pixels.

    Returns indices into ``queries``, each in one group, of about ``MOST_AT_ONCE`` at most; no group is empty.
    """
    step = math.ceil(math.sqrt(math.prod(size) / MOST_AT_ONCE))
    column, row = np.floor(queries[:, 1:]).astype(np.int64).T % step
    offset = row * step + column
    return [np.flatnonzero(offset == group) for group in np.unique(offset)]
