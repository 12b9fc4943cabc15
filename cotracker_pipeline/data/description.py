"""Statistics of sequences: what is visible, and how fast it moves. One pass, a sequence at a time."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cotracker_pipeline.data.store import ShardReader
from cotracker_pipeline.errors import DamagedData

# motions are kept as counts, so that a whole set takes no more memory than one sequence: 128 a doubling, from
# 1/128 of a pixel, below which nothing moves, to 8192
_EDGES = np.exp2(np.arange(-7, 13, 1 / 128))
# what stands for the motions between two edges: their middle
_VALUES = np.concatenate([[0.0], _EDGES * 2 ** (1 / 256)])

Sizes = tuple[int, int, int, int]
"""Frames, height, width, tracks."""


@dataclass(frozen=True)
class Description:
    """Facts of some sequences; ``+`` joins those of two.

    sequences, frames, tracks: how many there are.
    smallest, largest: sizes of one sequence, each number on its own.
    visible, hidden, outside, unknown: positions (one a track and frame) that are visible; known and hidden
        within the frame; known and outside of it; hidden and not annotated.
    steps: (B,) int64, counts of motions by size; see ``motion``.
    """

    sequences: int
    frames: int
    tracks: int
    smallest: Sizes
    largest: Sizes
    visible: int
    hidden: int
    outside: int
    unknown: int
    steps: np.ndarray

    def __add__(self, other: "Description") -> "Description":
        return Description(
            self.sequences + other.sequences,
            self.frames + other.frames,
            self.tracks + other.tracks,
            _each(min, self.smallest, other.smallest),
            _each(max, self.largest, other.largest),
            self.visible + other.visible,
            self.hidden + other.hidden,
            self.outside + other.outside,
            self.unknown + other.unknown,
            self.steps + other.steps,
        )

    @property
    def positions(self) -> int:
        """All of them, visible or not."""
        return self.visible + self.hidden + self.outside + self.unknown

    def motion(self, share: float) -> float:
        """The motion that ``share`` (0 to 1) of all motions do not exceed, in pixels of the videos.

        A motion is the distance of a point from one frame to the next, where it is visible in both. Right to
        0.3 %; 0 below a hundredth of a pixel; NaN where nothing is visible in two frames running.
        """
        below = self.steps.cumsum()
        if below[-1] == 0:
            return float("nan")
        return float(_VALUES[np.searchsorted(below, share * below[-1])])


def describe_sequence(reader: ShardReader, index: int) -> Description:
    """Describe one sequence, without reading its pixels.

    Raises ``DamagedData`` when its labels cannot be read, or a visible position is not finite.
    """
    attributes = reader.attributes(index)
    frames, height, width, points = (int(attributes[key]) for key in ("T", "H", "W", "N"))
    tracks, visible, valid = reader.labels(index)
    if not np.isfinite(tracks[visible]).all():
        raise DamagedData(
            f"{reader.path}: sequence {reader.names[index]}: a visible position is NaN or infinite; "
            "make the file again"
        )
    inside = ((tracks >= 0) & (tracks <= np.array([width, height]))).all(axis=-1)
    sizes = frames, height, width, points
    return Description(
        sequences=1,
        frames=frames,
        tracks=points,
        smallest=sizes,
        largest=sizes,
        visible=int(visible.sum()),
        hidden=int((~visible & valid & inside).sum()),
        outside=int((~visible & valid & ~inside).sum()),
        unknown=int((~visible & ~valid).sum()),
        steps=_steps(tracks, visible),
    )


def _steps(tracks: np.ndarray, visible: np.ndarray) -> np.ndarray:
    seen = visible[:, 1:] & visible[:, :-1]
    distances = np.linalg.norm(np.diff(tracks, axis=1)[seen], axis=-1)
    return np.bincount(np.searchsorted(_EDGES, distances, side="right"), minlength=len(_VALUES))


def _each(choose: Callable[[int, int], int], one: Sizes, other: Sizes) -> Sizes:
    frames, height, width, tracks = map(choose, one, other)
    return frames, height, width, tracks
