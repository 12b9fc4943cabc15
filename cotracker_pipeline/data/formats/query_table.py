"""A user's own query points: a CSV file with a header and one row a point.

The columns are those of ``tables.places``: ``frame``, and ``x``, ``y`` in raster pixels or ``column``,
``row`` in pixel indices; further ones are not read.
"""

from pathlib import Path

import numpy as np

from cotracker_pipeline.data.formats.tables import places, read_table
from cotracker_pipeline.errors import UserError


def read_queries(path: Path, frames: int, size: tuple[int, int]) -> np.ndarray:
    """Queries (N, 3) float64 as (t, x, y) in raster pixels, for a video of ``frames`` of ``size`` (H, W).

    Raises ``UserError`` when the file is no such table or a point lies outside of the video.
    """
    frame, positions = places(read_table(path, ()), frames, path)
    height, width = size
    outside = ((positions < 0) | (positions > (width, height))).any(axis=1)
    if outside.any():
        line = int(np.flatnonzero(outside)[0]) + 2
        raise UserError(
            f"{path}: the point in line {line} lies outside of the frame of {width}x{height} pixels; "
            "mend or remove it"
        )
    return np.column_stack([frame, positions]).astype(np.float64)
