"""What trackers over sliding windows share."""

from abc import abstractmethod
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

from torch import Tensor

from cotracker_pipeline.models.active_tracks import tracked_when_queried
from cotracker_pipeline.models.tracker import Tracker
from cotracker_pipeline.models.windows import fill, frames_padded, frames_read, sliding_windows


class Found(NamedTuple):
    """What a window finds in S frames: coords (B, S, N, 2) in pixel indices; logits (B, S, N, K) of
    visibility and, where the model has it, confidence.
    """

    coords: Tensor
    logits: Tensor


class WindowedTracker(Tracker):
    """Refines windows that overlap by half, from a clip's start to its end.

    Attributes:
        probabilities: how many a track has in a frame: visibility and, where the model has it, confidence.
        window_len: frames of a window.
        use_attention_mask: hide tracks from attention in the windows before their query.
    """

    probabilities: int
    window_len: int
    use_attention_mask: bool

    @property
    def leaves_out(self) -> bool:
        """Whether tracks are left out of the windows before their query."""
        # without the mask, tracks are attended to before they are queried
        return self.strategy.skip_unused and self.use_attention_mask

    @abstractmethod
    def query_features(self, maps: Tensor, queries: Tensor) -> list[Tensor]:
        """What ``track_window`` needs to know of queries (B, N, 3) of the frames of ``maps`` (V, S, C, H, W).

        Returns:
            Tensors (B, N, ...).
        """

    @abstractmethod
    def track_window(
        self,
        window: range,
        queries: Tensor,
        features: list[Tensor],
        maps: Tensor,
        before: Found | None,
        iters: int,
    ) -> Found:
        """Refine one window.

        Args:
            window: its frames.
            queries: (B, N, 3) as (t, x, y), of which t counts as the window does.
            features: of ``query_features``; zero for tracks that are queried later.
            maps: (V, S, C, H, W) feature maps of all its frames; B is a multiple of V (``shared_maps``).
            before: what the window before has found in its second half; None in the first window.
            iters: refinement iterations.
        """

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
        if not self.leaves_out:
            return self._track(maps, iters, queries)
        ends = (window.stop for window in self.windows(maps.shape[1]))
        return tracked_when_queried(partial(self._track, maps, iters), queries, ends, active_tracks)

    def _filled(self, maps: Tensor) -> Tensor:
        """Maps (B, T, ...), continued to the end of the last window, or as far as published."""
        length = frames_read if self.strategy.skip_unused else frames_padded
        return fill(maps, length(maps.shape[1], self.window_len))
