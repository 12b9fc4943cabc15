"""Writing a video file."""

import os
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from cotracker_pipeline.errors import UserError
from cotracker_pipeline.files import atomic_path

CODEC = "mp4v"
"""MPEG-4 part 2: every build of OpenCV with ffmpeg has an encoder for it, of H.264 few have."""


def write_video(
    path: str | os.PathLike[str], frames: Iterable[NDArray[np.uint8]], frames_per_second: float
) -> None:
    """Write at least one frame, each (H, W, 3) uint8 RGB of one size, as an .mp4 file, atomically.

    Sides of an odd number of pixels, which the format has not, are made longer by repeating the last.
    Raises ``UserError`` when the file cannot be written.
    """
    with atomic_path(path) as temporary:
        written = _write(temporary, frames, frames_per_second)
        # OpenCV does not say when a disk is full
        if _frames_in(temporary) != written:
            raise UserError(f"{path}: the video could not be written; make room on the disk")


def _write(path: Path, frames: Iterable[NDArray[np.uint8]], frames_per_second: float) -> int:
    writer = cv2.VideoWriter()
    written = 0
    try:
        for frame in frames:
            even = cv2.copyMakeBorder(
                frame, 0, frame.shape[0] % 2, 0, frame.shape[1] % 2, cv2.BORDER_REPLICATE
            )
            if not written:
                size = (even.shape[1], even.shape[0])
                writer.open(os.fspath(path), cv2.VideoWriter.fourcc(*CODEC), frames_per_second, size)
            writer.write(cv2.cvtColor(even, cv2.COLOR_RGB2BGR))
            written += 1
    finally:
        writer.release()
    return written


def _frames_in(path: Path) -> int:
    capture = cv2.VideoCapture(os.fspath(path))
    count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    capture.release()
    return count
