"""In which frames the tracks of a batch are queried whose memory is predicted or measured."""

from itertools import accumulate
from math import ceil, sqrt

from cotracker_pipeline.config import Sampling
from cotracker_pipeline.training.queries import tracks_drawn

#: Standard deviations above the mean. One training step in about 30,000 has more active tracks in a window.
MARGIN = 4.0


def published_query_frames(tracks: int, frames: int, sampling: Sampling = "first") -> list[int]:
    """Frames of the queries under the published sampling, rather too early than too late.

    Every track is taken to be visible in every frame. Then the tracks whose query is the first visible frame
    are queried on the first one, and the last ones, a quarter or by ``sampling`` all, uniformly in all
    frames: of these, before any frame, as many as the mean and ``MARGIN`` standard deviations of what is
    drawn. Tracks that are hidden at first are queried later, and so fewer are active.

    Returns:
        ``tracks`` ascending frames.
    """
    drawn = tracks_drawn(tracks, sampling)
    before = list(accumulate((_at_most(drawn, end / frames) for end in range(1, frames + 1)), max))
    first = [0] * (tracks - drawn)
    later = [
        frame
        for frame, (so_far, end) in enumerate(zip([0, *before], before, strict=False))
        for _ in range(end - so_far)
    ]
    return first + later


def _at_most(drawn: int, share: float) -> int:
    """How many of ``drawn`` fall into a ``share`` of the frames."""
    return min(drawn, ceil(drawn * share + MARGIN * sqrt(drawn * share * (1 - share))))
