"""A clip of predicted tracks over ground truth, as a page of its own."""

import base64
import html
import io
import os
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cotracker_pipeline.analysis.drawing import Canvas, Colour
from cotracker_pipeline.files import write_text

ENLARGEMENT = 3
FRAMES_PER_SECOND = 8
TRAIL = 6
"""Frames of the past that a predicted track drags behind it."""

# Okabe and Ito without black and yellow, which vanish on dark and bright textures
_COLOURS = ((0, 114, 178), (230, 159, 0), (0, 158, 115), (204, 121, 167), (86, 180, 233), (213, 94, 0))
_TRUTH = (255, 255, 255)


def draw_tracks(
    video: NDArray[np.uint8],
    true_tracks: NDArray[np.floating],
    true_visible: NDArray[np.bool_],
    predicted_tracks: NDArray[np.floating],
    predicted_visible: NDArray[np.bool_],
) -> NDArray[np.uint8]:
    """Draw predictions in colour with a trail, the truth as a white cross joined to its prediction.

    A filled dot is predicted visible, a ring predicted occluded. The truth is drawn only where it is visible.

    Args:
        video: (T, H, W, 3) uint8, RGB.
        true_tracks: (N, T, 2) floating, (x, y) in raster pixels of ``video``.
        true_visible: (N, T) bool.
        predicted_tracks: (N, T, 2) floating, in the same pixels; NaN where there is no prediction.
        predicted_visible: (N, T) bool.

    Returns:
        (T, 3 H, 3 W, 3) uint8, RGB.
    """
    canvases = [Canvas.over(frame, ENLARGEMENT) for frame in video]
    for time, canvas in enumerate(canvases):
        for track in range(len(true_tracks)):
            colour = _COLOURS[track % len(_COLOURS)]
            now = predicted_tracks[track, time]
            if not np.isfinite(now).all():
                continue
            past = predicted_tracks[track, max(0, time - TRAIL) : time + 1]
            canvas.line(past[np.isfinite(past).all(axis=-1)], colour)
            if true_visible[track, time]:
                _truth(canvas, true_tracks[track, time], now, colour)
            canvas.dot(now, colour, filled=bool(predicted_visible[track, time]))
    return np.stack([canvas.pixels for canvas in canvases])


def write_clip(frames: NDArray[np.uint8], path: str | os.PathLike[str], caption: str) -> None:
    """Write ``frames`` (T, H, W, 3) uint8 RGB as a self-contained HTML page with an endless animation."""
    image = base64.b64encode(_animation(list(frames))).decode("ascii")
    write_text(path, _PAGE.format(caption=html.escape(caption), image=image))


_PAGE = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>{caption}</title></head>
<body style="font-family: sans-serif">
<img src="data:image/webp;base64,{image}" alt="{caption}" style="max-width: 100%">
<p>{caption}</p>
</body>
</html>
"""


def _animation(frames: Sequence[NDArray[np.uint8]]) -> bytes:
    images = [Image.fromarray(frame) for frame in frames]
    buffer = io.BytesIO()
    images[0].save(
        buffer,
        format="WEBP",
        save_all=True,
        append_images=images[1:],
        duration=1000 // FRAMES_PER_SECOND,
        loop=0,
        quality=80,
    )
    return buffer.getvalue()


def _truth(
    canvas: Canvas, true: NDArray[np.floating], predicted: NDArray[np.floating], colour: Colour
) -> None:
    canvas.line(np.stack([predicted, true]), colour)
    canvas.cross(true, _TRUTH)
