"""Sliding windows over a clip: where they begin, what fills the last one, and what one hands to the next."""

from collections.abc import Iterator

import torch
from torch import Tensor


def window_starts(frames: int, window_len: int) -> Iterator[int]:
    """First frames of the windows of a clip: every half window, at least one window.

    The published code runs no window for clips of half a window or less and returns zeros; here they are
    padded like any other short clip.
    """
    step = window_len // 2
    yield from range(0, max(frames - step, 1), step)


def sliding_windows(frames: int, window_len: int) -> list[range]:
    """The frames of each window; those of the last may reach beyond the clip."""
    return [range(start, start + window_len) for start in window_starts(frames, window_len)]


def frames_read(frames: int, window_len: int) -> int:
    """Up to which frame the last window of a clip reaches."""
    *_, last = window_starts(frames, window_len)
    return last + window_len


def frames_padded(frames: int, window_len: int) -> int:
    """The multiple of the window length that a clip is padded to as published; no window may reach so far."""
    return frames + -frames % window_len


def fill(maps: Tensor, frames: int) -> Tensor:
    """Maps (B, T, ...), and the last of them again and again up to ``frames``."""
    missing = frames - maps.shape[1]
    if not missing:
        return maps
    return torch.cat([maps, maps[:, -1:].expand(-1, missing, *maps.shape[2:])], dim=1)


def carry(values: Tensor, frames: int) -> Tensor:
    """The frames (B, S, N, ·) that a window shares with the one before, the last again up to ``frames``."""
    return torch.cat([values, values[:, -1:].expand(-1, frames - values.shape[1], -1, -1)], dim=1)


def overwrite(values: Tensor, start: int, part: Tensor) -> Tensor:
    """Values (B, T, ...) with ``part`` (B, n, ...) from frame ``start`` on.

    A new tensor: the earlier one stays intact for the backward pass.
    """
    return torch.cat([values[:, :start], part, values[:, start + part.shape[1] :]], dim=1)
