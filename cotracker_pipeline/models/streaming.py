"""Tracking of a video while it comes in, with memory that does not grow with its length.

A window is refined as soon as its frames are there, from what the window before has found in the half that
both share. Its first half is then final; its second half is what the next window begins with. So all that is
kept beside the features of the queries are feature maps of less than a window, and positions of half a one.
Each frame is encoded once, where the published code encodes it once a window. What comes out equals the
forward pass on the whole video.

As published for one chunk after the other, but for what is mended:

- A video of at most half a window is tracked, in one padded window; the published code returns zeros.
- Tracks are hidden until they are queried, in CoTracker3 too (``use_attention_mask: false`` restores what is
  published), and also where their number is that of the virtual tracks.
- Any number of samples at a time.
- Chunks of any length, the last frames included; the published caller has to cut them, and pads the last one.
- Nothing is added in place to what was given or returned.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from cotracker_pipeline.models.active_tracks import (
    QueryOrder,
    active_counts,
    at_least_one,
    first_tracks,
    with_left_out,
)
from cotracker_pipeline.models.predictions import combined
from cotracker_pipeline.models.queries import check_queries
from cotracker_pipeline.models.windowed import Found, WindowedTracker
from cotracker_pipeline.models.windows import fill


class Tracks(NamedTuple):
    """Where tracks are in n consecutive frames of a video.

    first: index of the first of these frames; coords: (B, n, N, 2) pixel indices; probabilities: (B, n, N)
    each, of being visible and, where the model has it, of being within 12 pixels. Frames before a track's
    query are unspecified.
    """

    first: int
    coords: Tensor
    probabilities: tuple[Tensor, ...]

    @property
    def visibility(self) -> Tensor:
        """(B, n, N) probabilities, times the confidence where the model has one."""
        return combined(self.probabilities)

    @classmethod
    def joined(cls, parts: Sequence["Tracks"]) -> "Tracks":
        """Consecutive parts as one."""
        probabilities = zip(*(part.probabilities for part in parts), strict=True)
        return cls(
            parts[0].first,
            torch.cat([part.coords for part in parts], dim=1),
            tuple(torch.cat(each, dim=1) for each in probabilities),
        )


class OnlineTracker:
    """Tracks points through one video whose frames come in bit by bit.

        tracker = OnlineTracker(model, queries)
        for frames in chunks:
            tracks = tracker.feed(frames)       # those of earlier frames, which are final
        tracks = tracker.finish()               # the rest

    Args:
        model: tracks by sliding windows.
        queries: (B, N, 3) float32 as (t, x, y): index of the frame in the whole video, which may lie in the
            future, and pixel indices.
        iterations: refinement iterations per window.

    Raises:
        ValueError: for queries that make no sense (``check_queries``).
    """

    def __init__(self, model: WindowedTracker, queries: Tensor, iterations: int = 6) -> None:
        check_queries(queries)
        self.model = model.eval()
        self.iterations = iterations
        self._order = QueryOrder.of(queries[..., 0])
        self._queries = self._order.sorted(queries)
        self._features: list[Tensor] = []
        #: of the frames from ``_start`` on
        self._maps: Tensor | None = None
        self._start = 0
        self._before: Found | None = None
        self._finished = False

    @torch.inference_mode()
    def feed(self, frames: Tensor) -> Tracks:
        """Take the next frames.

        Args:
            frames: (B, n, 3, H, W) RGB, 0..255, of any number n.

        Returns:
            The tracks in the frames that have become final by these, none or some.

        Raises:
            ValueError: after ``finish``.
        """
        if self._finished:
            raise ValueError("the video is finished; make a new tracker for another one")
        parts = frames.split(self._step, dim=1) if frames.shape[1] else ()
        return Tracks.joined([self._nothing(self._start), *(self._take(part) for part in parts)])

    @torch.inference_mode()
    def finish(self) -> Tracks:
        """The tracks in the frames that are left when the video has ended; lets go of all that was kept."""
        rest = self._last()
        self._finished = True
        self._maps, self._before, self._features = None, None, []
        return rest

    @torch.inference_mode()
    def provisional(self) -> Tracks:
        """The tracks in the frames that a window has seen, but that the next one will refine once more."""
        return self._nothing(self._start) if self._before is None else self._tracks(self._before, self._start)

    @property
    def _step(self) -> int:
        return self.model.window_len // 2

    def _take(self, frames: Tensor) -> Tracks:
        """As ``feed``, of at most half a window."""
        maps = self.model.encode(frames)
        self._maps = maps if self._maps is None else torch.cat([self._maps, maps], dim=1)
        if self._maps.shape[1] < self.model.window_len:
            return self._nothing(self._start)
        found = self._window(self._maps[:, : self.model.window_len])
        # a copy, as a part would keep the whole
        self._maps = self._maps[:, self._step :].clone()
        final = self._tracks(found, self._start, self._step)
        self._start += self._step
        self._before = Found(*(part[:, self._step :].clone() for part in found))
        return final

    def _last(self) -> Tracks:
        """The tracks in all frames that are not final."""
        if self._maps is None:
            return self._nothing(self._start)
        frames = self._maps.shape[1]
        if self._before is not None and frames == self._step:
            return self._tracks(self._before, self._start)
        found = self._window(fill(self._maps, self.model.window_len))
        return self._tracks(found, self._start, frames)

    def _window(self, maps: Tensor) -> Found:
        """Refine the window at ``_start``: (B, S, N, ·)."""
        window = range(self._start, self._start + self.model.window_len)
        self._look_up(window, maps)
        tracks = self._queries.shape[1]
        count = tracks
        if self.model.leaves_out:
            [count] = at_least_one(active_counts(self._queries[..., 0], [window.stop]))
        found = self.model.track_window(
            window,
            first_tracks(self._queries, count, 1),
            [first_tracks(each, count, 1) for each in self._features],
            maps,
            self._before and Found(*(first_tracks(part, count, 2) for part in self._before)),
            self.iterations,
        )
        elsewhere = self._queries[:, None, count:, 1:]
        logits = elsewhere.new_zeros(*elsewhere.shape[:3], found.logits.shape[-1])
        return Found(with_left_out(found.coords, elsewhere), with_left_out(found.logits, logits))

    def _look_up(self, window: range, maps: Tensor) -> None:
        """The features of queries in frames that no window before had."""
        frames = self._queries[..., 0]
        first = window.start + self._step if self._features else window.start
        new = (frames >= first) & (frames < window.stop)
        if self._features and not new.any():
            return
        queries = torch.cat([frames[..., None] - window.start, self._queries[..., 1:]], dim=-1)
        found = self.model.query_features(maps, queries)
        known = self._features or [torch.zeros_like(each) for each in found]
        self._features = [
            torch.where(new.view(*new.shape, *(1 for _ in each.shape[2:])), each, old)
            for each, old in zip(found, known, strict=True)
        ]

    def _tracks(self, found: Found, first: int, frames: int | None = None) -> Tracks:
        """The first frames of what was found, in the order in which queries were given."""
        coords, logits = self._order.undone([part[:, :frames] for part in found])
        return Tracks(first, coords, logits.sigmoid().unbind(dim=-1))

    def _nothing(self, first: int) -> Tracks:
        none = self._queries.new_zeros(len(self._queries), 0, self._queries.shape[1])
        return Tracks(first, none[..., None].expand(-1, -1, -1, 2), (none,) * self.model.probabilities)
