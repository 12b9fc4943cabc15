"""A picture of many sequences: some frames of each, with some of its tracks."""

import colorsys
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from cotracker_pipeline.data.choice import evenly_apart
from cotracker_pipeline.data.store import ShardReader

CELL_WIDTH, CELL_HEIGHT = 192, 144
"""Pixels of one frame on the sheet, whatever its size."""
MOMENTS = 4
"""Frames of a sequence that are shown, from the first to the last."""
TRACKS = 48
"""Tracks of a sequence that are drawn at most."""
STRIPS = 2
"""Sequences beside one another."""

_LABEL_HEIGHT, _GAP = 18, 6
_PAPER, _INK = 32, (220, 220, 220)
# OpenCV takes fixed-point numbers with so many fractional bits: drawing below a pixel's accuracy
_SHIFT = 4
_RADIUS = 3


def draw_contact_sheet(readers: Sequence[ShardReader], sequences: int) -> np.ndarray:
    """Draw up to ``sequences`` sequences, evenly chosen from all of ``readers``.

    A track has one colour in all frames of its sequence: a dot where it is visible, a ring where it is hidden
    at a place that is known. One frame at a time is in memory.

    Returns (height, width, 3) uint8, RGB. Raises ``DamagedData`` when a frame or label cannot be read.
    """
    strips = [_strip(reader, index) for reader, index in _chosen(readers, sequences)]
    blank = np.full_like(strips[0], _PAPER)
    strips += [blank] * (-len(strips) % STRIPS)
    rows = [np.hstack(strips[start : start + STRIPS]) for start in range(0, len(strips), STRIPS)]
    return np.vstack(rows)


def _chosen(readers: Sequence[ShardReader], most: int) -> Iterator[tuple[ShardReader, int]]:
    places = [(reader, index) for reader in readers for index in range(len(reader))]
    return (places[position] for position in evenly_apart(len(places), most))


def _strip(reader: ShardReader, index: int) -> np.ndarray:
    """The label and the frames of one sequence."""
    attributes = reader.attributes(index)
    tracks, visible, valid = reader.labels(index)
    moments = evenly_apart(int(attributes["T"]), MOMENTS)
    shown = np.flatnonzero(visible[:, moments].any(axis=1))
    shown = shown[evenly_apart(len(shown), TRACKS)]
    strip = np.full((CELL_HEIGHT + _LABEL_HEIGHT + _GAP, MOMENTS * (CELL_WIDTH + _GAP), 3), _PAPER, np.uint8)
    for column, time in enumerate(moments):
        cell = _cell(reader.frames(index, time, time + 1)[0], tracks[shown, time], visible[shown, time],
                     valid[shown, time])  # fmt: skip
        left = column * (CELL_WIDTH + _GAP)
        strip[_LABEL_HEIGHT : _LABEL_HEIGHT + CELL_HEIGHT, left : left + CELL_WIDTH] = cell
    label = "{}: {}, {T} frames of {H}x{W}, {N} tracks".format(
        Path(reader.path).name, reader.names[index], **attributes
    )
    cv2.putText(strip, label, (2, 13), cv2.FONT_HERSHEY_SIMPLEX, 0.4, _INK, 1, cv2.LINE_AA)
    return strip


def _cell(frame: np.ndarray, tracks: np.ndarray, visible: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """A frame with its tracks (N, 2), as large as fits."""
    height, width = frame.shape[:2]
    scale = min(CELL_WIDTH / width, CELL_HEIGHT / height)
    size = max(1, round(scale * width)), max(1, round(scale * height))
    small = cv2.resize(frame, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    for number, (xy, seen, known) in enumerate(zip(tracks, visible, valid, strict=True)):
        if (seen or known) and np.isfinite(xy).all():
            _mark(
                small, xy * np.array(size) / [width, height], _colour(number, len(tracks)), filled=bool(seen)
            )
    cell = np.full((CELL_HEIGHT, CELL_WIDTH, 3), _PAPER, np.uint8)
    top, left = (CELL_HEIGHT - size[1]) // 2, (CELL_WIDTH - size[0]) // 2
    cell[top : top + size[1], left : left + size[0]] = small
    return cell


def _mark(picture: np.ndarray, xy: np.ndarray, colour: tuple[int, ...], *, filled: bool) -> None:
    # OpenCV counts from the centre of the first pixel; far outside, its fixed-point numbers would overflow
    x, y = np.rint((np.clip(xy, -99, 999) - 0.5) * 2**_SHIFT).astype(int).tolist()
    thickness = cv2.FILLED if filled else 1
    cv2.circle(picture, (x, y), _RADIUS * 2**_SHIFT, colour, thickness, cv2.LINE_AA, _SHIFT)


def _colour(number: int, count: int) -> tuple[int, ...]:
    return tuple(round(255 * part) for part in colorsys.hsv_to_rgb(number / count, 0.9, 1.0))
