"""The user's own images for textures."""

from collections.abc import Iterator, Mapping
from functools import lru_cache

import cv2
import numpy as np

from cotracker_pipeline.data.engine.own_files import files_in
from cotracker_pipeline.errors import UserError

SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
# a folder may hold more than fits into memory, and more pixels than a texture can show
KEPT, LONGEST_SIDE = 16, 2048


class ImageFolder(Mapping[str, np.ndarray]):
    """The images of a folder by their path: (height, width, 3) uint8, RGB, at most 2048 pixels a side.

    Each is read when it is asked for.

    Raises ``UserError`` when the folder holds none, or one cannot be read.
    """

    def __init__(self, folder: str) -> None:
        self._paths = [str(path) for path in files_in(folder, SUFFIXES)]

    def __getitem__(self, path: str) -> np.ndarray:
        return _read(path)

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)


@lru_cache(KEPT)
def _read(path: str) -> np.ndarray:
    image = cv2.imread(path, cv2.IMREAD_COLOR_RGB)
    if image is None:
        raise UserError(f"{path}: is not an image that can be read; mend or remove it")
    if (shrink := LONGEST_SIDE / max(image.shape)) < 1:
        image = cv2.resize(image, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    image.flags.writeable = False
    return image
