"""What trackers return in training: the predictions of every window and iteration."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import mul
from typing import Any, Self

import torch
from torch import Tensor


def from_query_on(queries: Tensor, frames: int) -> Tensor:
    """(B, T, N) boolean: the frames from the query of each of ``queries`` (B, N, 3) on."""
    frame = torch.arange(frames, device=queries.device)
    return queries[:, None, :, 0] <= frame[None, :, None]


def combined(probabilities: Iterable[Tensor]) -> Tensor:
    """Of being visible, times the confidence where there is one."""
    return reduce(mul, probabilities)


@dataclass(frozen=True)
class WindowPredictions:
    """What training sees, one entry per window; unpacks as the published triple (coords, visibility, mask).

    coords: per window, the predictions of every iteration, each (B, n, N, 2) in pixels, n ≤ window_len.
    visibility_logits: per window, (B, n, N).
    mask: (B, T, N) boolean, the frames from each track's query on.
    """

    coords: list[list[Tensor]]
    visibility_logits: list[Tensor]
    mask: Tensor

    @classmethod
    def blank(cls, windows: Sequence[range], mask: Tensor, iterations: int) -> Self:
        """Zeros in all ``windows`` and ``iterations``, for the sake of the ``mask`` (B, T, N)."""
        logits = _blank_logits(windows, mask)
        coords = [[each[..., None].expand(*each.shape, 2)] * iterations for each in logits]
        return cls(coords, logits, mask)

    @property
    def visibility(self) -> list[Tensor]:
        """Per window, probabilities (B, n, N)."""
        return [logits.sigmoid() for logits in self.visibility_logits]

    def __iter__(self) -> Iterator[Any]:
        return iter((self.coords, self.visibility, self.mask))


@dataclass(frozen=True)
class ConfidentPredictions:
    """As ``WindowPredictions``, of a tracker that refines visibility and confidence in every iteration, too.

    coords: per window and iteration, (B, n, N, 2) in pixels.
    visibility_logits, confidence_logits: per window and iteration, (B, n, N).
    mask: (B, T, N) boolean, the frames whose positions are trained.
    """

    coords: list[list[Tensor]]
    visibility_logits: list[list[Tensor]]
    confidence_logits: list[list[Tensor]]
    mask: Tensor

    @classmethod
    def blank(cls, windows: Sequence[range], mask: Tensor, iterations: int) -> Self:
        """As ``WindowPredictions.blank``."""
        blank = WindowPredictions.blank(windows, mask, iterations)
        logits = [[each] * iterations for each in blank.visibility_logits]
        return cls(blank.coords, logits, logits, mask)

    @property
    def visibility(self) -> list[list[Tensor]]:
        """Per window and iteration, probabilities (B, n, N)."""
        return _probabilities(self.visibility_logits)

    @property
    def confidence(self) -> list[list[Tensor]]:
        """Per window and iteration, probabilities (B, n, N) of being within 12 pixels."""
        return _probabilities(self.confidence_logits)

    def __iter__(self) -> Iterator[Any]:
        return iter((self.coords, self.visibility, self.confidence, self.mask))


def _blank_logits(windows: Sequence[range], mask: Tensor) -> list[Tensor]:
    """Zeros (B, n, N) in each window."""
    batch, frames, tracks = mask.shape
    lengths = [min(window.stop, frames) - window.start for window in windows]
    return [mask.new_zeros((), dtype=torch.float32).expand(batch, length, tracks) for length in lengths]


def _probabilities(windows: list[list[Tensor]]) -> list[list[Tensor]]:
    return [[logits.sigmoid() for logits in iterations] for iterations in windows]
