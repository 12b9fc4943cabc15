"""A photographed pair of frames whose true motion is known: the motorcycle of Middlebury 2014.

scikit-image ships it at a quarter of its resolution, with the disparities that were measured by structured
light.
"""

from typing import NamedTuple

import numpy as np
from skimage.data import stereo_motorcycle


class Pair(NamedTuple):
    """video: (2, H, W, 3) uint8, left and right; queries: (N, 3) as (0, x, y) raster pixels of the left;
    truth: (N, 2), where they are in the right.
    """

    video: np.ndarray
    queries: np.ndarray
    truth: np.ndarray


def stereo_pair(step: int = 12) -> Pair:
    """The pair, queried at every ``step``-th pixel whose disparity is known and does not lead out of view."""
    left, right, disparity = stereo_motorcycle()
    height, width = disparity.shape
    row, column = (axis.ravel() for axis in np.mgrid[:height:step, :width:step])
    # what is in column x on the left is in column x - disparity on the right; an unknown one is not finite
    arrived = column - disparity[row, column].astype(np.float64)
    kept = np.isfinite(arrived) & (arrived >= 0)
    column, row, arrived = column[kept], row[kept], arrived[kept]
    queries = np.stack([np.zeros(len(row)), column + 0.5, row + 0.5], axis=-1)
    return Pair(np.stack([left, right]), queries, np.stack([arrived + 0.5, row + 0.5], axis=-1))
