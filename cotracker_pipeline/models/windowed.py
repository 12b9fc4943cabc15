"""What trackers over sliding windows share."""

from abc import abstractmethod
from collections.abc import Sequence
from functools import partial
from typing import Any

from torch import Tensor

from cotracker_pipeline.models.active_tracks import tracked_when_queried
from cotracker_pipeline.models.tracker import Tracker
from cotracker_pipeline.models.windows import fill, frames_padded, frames_read, sliding_windows


class WindowedTracker(Tracker):
    """Refines windows that overlap by half, from a clip's start to its end.

    Attributes:
        window_len: frames of a window.
        use_attention_mask: hide tracks from attention in the windows before their query.
    """

    window_len: int
    use_attention_mask: bool

    def windows(self, frames: int) -> list[range]:
        """As ``Tracker``."""
        return sliding_windows(frames, self.window_len)

    @abstractmethod
    def _track(
        self, maps: Tensor, iters: int, queries: Tensor, counts: Sequence[int] | None = None
    ) -> tuple[Any, ...]:
        """What the windows find, tensors (B, T, N, ...) in lists and tuples.

        ``counts``: how many tracks to compute in each window, the first ones; all when there are none.
        """

    def _track_queried(
        self, maps: Tensor, iters: int, queries: Tensor, active_tracks: Sequence[int] | None
    ) -> Any:
        """As ``_track``, where tracks that are not yet queried are left out if they may be."""
        # without the mask, tracks are attended to before they are queried
        if not (self.strategy.skip_unused and self.use_attention_mask):
            return self._track(maps, iters, queries)
        ends = (window.stop for window in self.windows(maps.shape[1]))
        return tracked_when_queried(partial(self._track, maps, iters), queries, ends, active_tracks)

    def _filled(self, maps: Tensor) -> Tensor:
        """Maps (B, T, ...), continued to the end of the last window, or as far as published."""
        length = frames_read if self.strategy.skip_unused else frames_padded
        return fill(maps, length(maps.shape[1], self.window_len))
