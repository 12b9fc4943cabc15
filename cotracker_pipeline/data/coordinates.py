"""The ways to count pixels, and the one pair of functions between them.

*Raster* coordinates, used by everything stored: the centre of the first pixel is 0.5, an image W pixels wide
spans 0 to W.  *Pixel indices*, used by the models and by ``grid_sample(align_corners=True)``: the centre of
the first pixel is 0, that of the last W - 1.

CoTracker's own evaluation takes raster pixels to be indices after scaling them by (W - 1) / W, which is right
in the middle of the image and half a pixel off at its borders.  ``PUBLISHED`` repeats that, only so that
numbers can be compared with published tables.  Those of Dynamic Replica it takes for indices as they are;
``UNSHIFTED`` repeats that.
"""

from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

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


def raster_to_published(xy: Coordinates, size: Coordinates) -> Coordinates:
    """Turn raster pixels (..., 2) of an image into what CoTracker's evaluation takes for pixel indices.

    size: (2,) width and height of the image in pixels, of the type of ``xy``.
    """
    return xy * ((size - 1) / size)


def published_to_raster(xy: Coordinates, size: Coordinates) -> Coordinates:
    """The inverse of ``raster_to_published``; along an axis of one pixel all is its centre."""
    # one pixel has the one index 0, from which nothing comes back
    return xy * (size / (size - 1).clip(1)) + PIXEL_CENTRE * (size == 1)


class Convention(NamedTuple, Generic[Coordinates]):
    """What a tracker takes for pixel indices: both functions take (..., 2) and the (2,) width and height.

    side: of the square raster of 256 pixels, in which distances are measured, in pixels so counted.
    """

    to_index: Callable[[Coordinates, Coordinates], Coordinates]
    to_raster: Callable[[Coordinates, Coordinates], Coordinates]
    side: int


RASTER: Convention[torch.Tensor] = Convention(
    lambda xy, _: raster_to_index(xy), lambda xy, _: index_to_raster(xy), 256
)
PUBLISHED: Convention[torch.Tensor] = Convention(raster_to_published, published_to_raster, 255)
UNSHIFTED: Convention[torch.Tensor] = Convention(lambda xy, _: xy, lambda xy, _: xy, 256)
CONVENTIONS = {"raster": RASTER, "published": PUBLISHED, "unshifted": UNSHIFTED}
