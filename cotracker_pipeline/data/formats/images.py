"""Reading frames as RGB from image and video files; what is damaged is refused, not painted over."""

import math
import os
import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import simplejpeg

from cotracker_pipeline.data.formats.format import existing
from cotracker_pipeline.errors import UserError

SUFFIXES = (".png", ".jpg", ".jpeg")
VIDEO_SUFFIXES = (".mp4", ".avi", ".mov", ".mkv", ".webm")
MAX_PIXELS = 1 << 26
"""Pixels of the largest frame that is decoded: a file of some bytes may state any size."""

_REPAIR = "it is damaged; get it again"
_PNG_START = b"\x89PNG\r\n\x1a\n"


def frame_files(folder: Path) -> list[Path]:
    """The image files of a folder, by name. Raises ``UserError`` when there is none, or no folder."""
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; it should hold the frames")
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    if not found:
        raise UserError(f"{folder}: holds no frame; PNG and JPEG files are read")
    return found


def read_frames(files: Sequence[Path]) -> np.ndarray:
    """Frames (T, H, W, 3) uint8, RGB, from image files of one size.

    Raises ``UserError`` when one cannot be read, is damaged, or is of another size than the first.
    """
    return stack_frames(((str(path), _content(path)) for path in files), len(files))


def stack_frames(encoded: Iterable[tuple[str, bytes]], count: int) -> np.ndarray:
    """Frames (T, H, W, 3) uint8, RGB, from ``count`` names and contents of PNG or JPEG files of one size.

    Raises ``UserError`` as ``read_frames``.
    """
    video = np.empty((0, 0, 0, 3), np.uint8)
    for index, (name, content) in enumerate(encoded):
        frame = decode_frame(content, name)
        if index == 0:
            video = np.empty((count, *frame.shape), np.uint8)
        if frame.shape != video.shape[1:]:
            raise UserError(
                f"{name}: the frame is {frame.shape[1]}x{frame.shape[0]}, "
                f"the first is {video.shape[2]}x{video.shape[1]}; all frames of a video must be of one size"
            )
        video[index] = frame
    return video


def decode_frame(content: bytes, name: str) -> np.ndarray:
    """One frame (H, W, 3) uint8, RGB, of a PNG or JPEG file, which errors call ``name``.

    Raises ``UserError`` when the content is damaged or too large.
    """
    if content.startswith(_PNG_START):
        _check_size(*_png_size(content, name), name)
        frame = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR_RGB)
        if frame is None:
            raise UserError(f"{name}: cannot be read as PNG; {_REPAIR}")
        return frame
    try:
        height, width, *_ = simplejpeg.decode_jpeg_header(content)
        _check_size(width, height, name)
        return simplejpeg.decode_jpeg(content, colorspace="RGB")
    except ValueError as error:
        raise UserError(f"{name}: cannot be read as PNG or JPEG; {_REPAIR}") from error


def read_frames_or_video(path: Path) -> np.ndarray:
    """Frames (T, H, W, 3) uint8, RGB, of a folder of image files, which sort by name, or of a video file.

    Raises ``UserError`` when there is nothing to read, or as ``read_frames``.
    """
    existing(path, "a video, or a folder of frames")
    return read_frames(frame_files(path)) if path.is_dir() else read_video(path)


def frames_per_second(path: Path) -> float | None:
    """What a video file states; None where it states nothing, and for a folder of image files."""
    if path.is_dir():
        return None
    capture = cv2.VideoCapture(os.fspath(path))
    stated = float(capture.get(cv2.CAP_PROP_FPS))
    capture.release()
    return stated if 0 < stated < math.inf else None


def read_mask(path: Path) -> np.ndarray:
    """(H, W) bool of a PNG or JPEG file, true where it is not black.

    Raises ``UserError`` when it cannot be read or is damaged.
    """
    return np.asarray(decode_frame(_content(path), str(path)).any(axis=-1))


def read_video(path: Path) -> np.ndarray:
    """Frames (T, H, W, 3) uint8, RGB, of a video file. Raises ``UserError`` when it cannot be read."""
    frames = list(_video_frames(path))
    if not frames:
        raise UserError(f"{path}: cannot be read as a video; give one that ffmpeg plays, or frames")
    return np.stack(frames)


def _video_frames(path: Path) -> Iterator[np.ndarray]:
    capture = cv2.VideoCapture(os.fspath(path))
    try:
        width, height = (capture.get(key) for key in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
        _check_size(int(width), int(height), str(path))
        while True:
            there, frame = capture.read()
            if not there:
                return
            yield cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
    finally:
        capture.release()


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); get it again") from error


def _check_size(width: int, height: int, name: str) -> None:
    if width * height > MAX_PIXELS:
        raise UserError(f"{name}: states {width}x{height} pixels; give frames of at most {MAX_PIXELS}")


def _png_size(content: bytes, name: str) -> tuple[int, int]:
    """Width and height of a PNG file, all of whose checksums are right: decoders overlook some."""
    position, size = len(_PNG_START), (0, 0)
    while position + 12 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, position)
        end = position + 12 + length
        if end > len(content) or zlib.crc32(content[position + 4 : end - 4]) != int.from_bytes(
            content[end - 4 : end], "big"
        ):
            break
        if kind == b"IHDR" and length == 13:
            size = struct.unpack_from(">II", content, position + 8)
        if kind == b"IEND":
            return size
        position = end
    raise UserError(f"{name}: a part of the PNG file is damaged or missing; get it again")
