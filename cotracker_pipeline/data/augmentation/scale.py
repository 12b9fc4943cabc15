"""The drifting scale of the frames of a clip."""

import numpy as np

from cotracker_pipeline.data.augmentation.drift import carried_on

# the published limits of the scale
SMALLEST, LARGEST = 0.2, 2.0
# pixels by which a scaled frame exceeds the clip at least, so that the view can drift
MARGIN = 10


def draw_scales(
    rng: np.random.Generator, frames: int, size: np.ndarray, needed: np.ndarray, spread: float, drift: float
) -> np.ndarray:
    """Draw by how much each frame is enlarged.

    Args:
        rng: random numbers.
        frames: T.
        size: width and height of the frames, pixels.
        needed: width and height of the clip, pixels.
        spread: the first scale lies within 1 -+ this.
        drift: largest change between two frames, per axis.

    Returns:
        (T, 2) float64 of x and y; times ``size`` they are whole pixels.
    """
    scale = np.full(2, rng.uniform(1 - spread, 1 + spread))
    change = np.zeros(2)
    scales = np.empty((frames, 2))
    for frame in range(frames):
        if frame:
            pushed = rng.uniform(-drift, drift, 2)
            change = pushed if frame == 1 else carried_on(change, pushed)
        scale = scale + change
        # the two axes are pulled together, or pictures would be squeezed more and more
        scale = np.clip((scale + scale.mean()) / 2, SMALLEST, LARGEST)
        scale = np.maximum((size * scale).astype(int), needed + MARGIN) / size
        scales[frame] = scale
    return scales
