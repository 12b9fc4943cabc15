"""Frames of videos as small pictures inside of a page."""

import base64

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray

LONGEST_SIDE = 384
QUALITY = 85


def reduced(frame: NDArray[np.uint8], longest: int = LONGEST_SIDE) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB, no side longer than ``longest`` pixels."""
    height, width = frame.shape[:2]
    scale = longest / max(height, width)
    if scale >= 1:
        return frame
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def data_uri(frame: NDArray[np.uint8]) -> str:
    """(H, W, 3) uint8 RGB as the address of a JPEG that it contains."""
    picture = simplejpeg.encode_jpeg(np.ascontiguousarray(frame), quality=QUALITY, colorsubsampling="420")
    return f"data:image/jpeg;base64,{base64.b64encode(picture).decode('ascii')}"
