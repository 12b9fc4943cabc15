"""Tracks drawn over the video that they were found in."""

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from cotracker_pipeline.analysis.drawing import Canvas, Colour

MOST_DRAWN = 1000
"""Tracks that are drawn; more would hide the video."""

TRAIL = 10
"""Frames of the past that a point drags behind it."""

SMALLEST_SIDE = 480
"""Pixels of the longer side of what is drawn; smaller videos are enlarged."""

_LAST_HUE = 150
"""Violet, in OpenCV's half degrees: beyond, colours would be red again."""


def draw_overlay(
    video: NDArray[np.uint8],
    tracks: NDArray[np.float32],
    visible: NDArray[np.bool_],
    queries: NDArray[np.float64],
) -> Iterator[NDArray[np.uint8]]:
    """Draw a dot with a trail where a point is visible, a ring where it is hidden.

    Colours run from red at the top to violet at the bottom of where points were asked for. Of more than
    ``MOST_DRAWN`` tracks, a fixed random choice of so many is drawn.

    Args:
        video: (T, H, W, 3) uint8, RGB.
        tracks: (N, T, 2) floating, raster pixels of ``video``; NaN where there is none.
        visible: (N, T) bool.
        queries: (N, 3) as (t, x, y), in the same pixels.

    Returns:
        T frames (f H, f W, 3) uint8, RGB, of the smallest whole f that makes the longer side
        ``SMALLEST_SIDE`` pixels.
    """
    chosen = _chosen(len(tracks))
    tracks, visible = tracks[chosen], visible[chosen]
    height, width = video.shape[1:3]
    enlargement = max(1, -(-SMALLEST_SIDE // max(height, width)))
    radius = max(3, enlargement * max(height, width) // 200)
    colours = _colours(queries[chosen, 2] / height)
    there = np.asarray(np.isfinite(tracks).all(axis=-1))
    seen = there & visible
    for time, frame in enumerate(video):
        canvas = Canvas.over(frame, enlargement)
        span = slice(max(0, time - TRAIL), time + 1)
        for track in np.flatnonzero(seen[:, time]):
            canvas.line(tracks[track, span][seen[track, span]], colours[track])
        for track in np.flatnonzero(there[:, time]):
            filled = bool(seen[track, time])
            canvas.dot(tracks[track, time], colours[track], filled=filled, radius=radius)
        yield canvas.pixels


def _chosen(count: int) -> NDArray[np.int64]:
    if count <= MOST_DRAWN:
        return np.arange(count)
    return np.sort(np.random.default_rng(0).permutation(count)[:MOST_DRAWN])


def _colours(heights: NDArray[np.float64]) -> list[Colour]:
    """Of each track, by where it was asked for: 0 at the top of the frame, 1 at its bottom."""
    hue = np.clip(heights, 0, 1) * _LAST_HUE
    hsv = np.stack([hue, np.full_like(hue, 255), np.full_like(hue, 255)], axis=-1)[None].astype(np.uint8)
    return [(int(red), int(green), int(blue)) for red, green, blue in cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0]]
