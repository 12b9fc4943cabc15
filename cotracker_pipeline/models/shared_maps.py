"""Samples that share a video: their tracks are looked up in its feature maps together.

The maps (V, ...) of V videos serve B = V·k samples, each video k consecutive ones. k is 1 unless points of
one video are tracked apart from each other. What reads maps does so for each track on its own, so the tracks
of all samples of a video are read as those of one, and no map is copied.
"""

from einops import rearrange
from torch import Tensor


def together(values: Tensor, videos: int) -> Tensor:
    """Values (V·k, S, N, ...) of the tracks of all samples, per video: (V, S, k·N, ...)."""
    return rearrange(values, "(v k) s n ... -> v s (k n) ...", v=videos)


def apart(values: Tensor, tracks: int) -> Tensor:
    """Values (V, S, k·N, ...) per sample again, of N ``tracks`` each: (V·k, S, N, ...)."""
    return rearrange(values, "v s (k n) ... -> (v k) s n ...", n=tracks)
