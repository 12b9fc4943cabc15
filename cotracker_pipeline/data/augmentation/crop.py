"""Where in its frames a clip is cut out, and how that place drifts."""

from collections.abc import Callable

import numpy as np

from cotracker_pipeline.data.augmentation.drift import carried_on
from cotracker_pipeline.data.augmentation.labels import Labels

Origin = Callable[[np.random.Generator, Labels, np.ndarray], np.ndarray]


def random_origin(rng: np.random.Generator, labels: Labels, needed: np.ndarray) -> np.ndarray:
    """Anywhere."""
    # drawn as y, x
    return rng.integers((labels.size - needed + 1)[::-1])[::-1]


def tracks_origin(rng: np.random.Generator, labels: Labels, needed: np.ndarray) -> np.ndarray:
    """The middle of the points that the first frame shows, or of the frame when it shows none."""
    del rng
    seen = labels.tracks[0, labels.visible[0]]
    middle = seen.mean(axis=0) if len(seen) else labels.size / 2
    return (middle - needed / 2).astype(int)


#: By the name of the configuration: (rng, labels of the first frame's size, (width, height) of the clip) to
#: the left upper corner (2,) int64 of x and y in the first frame; it may lie outside.
ORIGINS: dict[str, Origin] = {"random": random_origin, "tracks": tracks_origin}


def draw_movement(rng: np.random.Generator, frames: int, drift: int) -> np.ndarray:
    """How far the view has moved in each frame: (T, 2) int64 pixels, up to ``drift`` between two."""
    steps = np.zeros((frames, 2), np.int64)
    for frame in range(1, frames):
        if frame == 1:
            steps[frame] = rng.integers(-drift, drift, 2)
        else:
            pushed = rng.integers(-drift, drift + 1, 2)
            steps[frame] = carried_on(steps[frame - 1], pushed)
    return steps.cumsum(axis=0)
