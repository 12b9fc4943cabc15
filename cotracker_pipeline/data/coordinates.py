"""The two ways to count pixels, and the one pair of functions between them.

*Raster* coordinates, used by everything stored: the centre of the first pixel is 0.5, an image W pixels wide
spans 0 to W.  *Pixel indices*, used by the models and by ``grid_sample(align_corners=True)``: the centre of
the first pixel is 0, that of the last W - 1.
"""

from typing import TypeVar

import numpy as np
import torch

PIXEL_CENTRE = 0.5

Coordinates = TypeVar("Coordinates", np.ndarray, torch.Tensor)


def raster_to_index(xy: Coordinates) -> Coordinates:
    """Turn raster pixels into pixel indices; any shape and floating type, pixels; both are kept."""
    return xy - PIXEL_CENTRE


def index_to_raster(xy: Coordinates) -> Coordinates:
    """Turn pixel indices into raster pixels; any shape and floating type, pixels; both are kept."""
    return xy + PIXEL_CENTRE
