"""Pictures from point samples, with more samples where one would not do."""

from collections.abc import Callable

import numpy as np

from cotracker_pipeline.data.coordinates import index_to_raster
from cotracker_pipeline.data.engine.shading import Samples

# neighbours that differ more than this are an edge: brightness (of 255) and depth (relative)
BRIGHTNESS_STEP, DEPTH_STEP = 20.0, 0.05


def draw_picture(
    look: Callable[[np.ndarray], Samples], height: int, width: int, antialiasing: int
) -> np.ndarray:
    """Draw what ``look`` sees at raster pixels (M, 2) -> (height, width, 3) uint8.

    Every pixel gets one sample at its centre; those at edges get ``antialiasing`` squared.
    """
    y, x = index_to_raster(np.indices((height, width)).reshape(2, -1))
    centres = np.stack([x, y], -1)
    samples = look(centres)
    colour = samples.colour
    if antialiasing > 1:
        edges = np.flatnonzero(_edges(samples, height, width))
        finer = centres[edges, None] + _offsets(antialiasing)
        fine = look(finer.reshape(-1, 2)).colour
        colour[:, edges] = fine.reshape(3, len(edges), -1).mean(axis=2)
    return np.clip(np.rint(colour.T), 0, 255).astype(np.uint8).reshape(height, width, 3)


def _offsets(antialiasing: int) -> np.ndarray:
    """Where in a pixel to look: (antialiasing^2, 2), relative to its centre."""
    steps = (np.arange(antialiasing) + 0.5) / antialiasing - 0.5
    return np.stack(np.meshgrid(steps, steps), -1).reshape(-1, 2)


def _edges(samples: Samples, height: int, width: int) -> np.ndarray:
    """Pixels that differ from a neighbour: (height, width) bool."""
    body = samples.body.reshape(height, width)
    depth = samples.depth.reshape(height, width)
    brightness = samples.colour.mean(axis=0).reshape(height, width)
    edges = np.zeros((height, width), bool)
    for one, other in ((np.s_[1:], np.s_[:-1]), (np.s_[:, 1:], np.s_[:, :-1])):
        differs = body[one] != body[other]
        differs |= np.abs(brightness[one] - brightness[other]) > BRIGHTNESS_STEP
        # written without a difference: depths may be infinite
        near, far = np.minimum(depth[one], depth[other]), np.maximum(depth[one], depth[other])
        differs |= far > (1 + DEPTH_STEP) * near
        edges[one] |= differs
        edges[other] |= differs
    return edges
