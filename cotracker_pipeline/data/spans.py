"""Which frames of a sequence a training clip is made of."""

from typing import NamedTuple

import numpy as np

from cotracker_pipeline.config import Pace


class Span(NamedTuple):
    """``frames`` of a sequence from ``start`` on, every ``stride``-th."""

    start: int
    frames: int
    stride: int = 1

    @property
    def frame(self) -> slice:
        """Of an array of all frames."""
        return slice(self.start, self.start + (self.frames - 1) * self.stride + 1, self.stride)


def draw_span(rng: np.random.Generator, total: int, frames: int, pace: Pace) -> Span:
    """Draw a span within ``total`` frames.

    Args:
        rng: the clip's own random numbers.
        total: frames of the sequence.
        frames: of the clip, at most; no more than there are.
        pace: what is random beside the start; the others draw no random number.

    Returns:
        As published for CoTracker3: a random length lies within half of ``frames`` and one frame less than
        these, and a random stride is any at which so many frames fit. All starts are possible, the last too.
    """
    if pace.random_length and frames > 1:
        frames = int(rng.integers(max(frames // 2, 1), frames))
    stride = int(rng.integers(1, total // frames + 1)) if pace.random_frame_rate else 1
    start = int(rng.integers(total - (frames - 1) * stride))
    return Span(start, frames, stride)
