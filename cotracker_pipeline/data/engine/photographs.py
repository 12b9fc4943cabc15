"""Real photographs for textures, from packages that are installed anyway; nothing is downloaded.

Only photographs whose terms are stated by their package are used: scikit-image (CC0, public domain, or no
known restrictions) and scikit-learn (CC BY 2.0: ``china.jpg`` by danielbuechele, ``flower.jpg`` by
vultilion).
"""

from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from types import MappingProxyType
from typing import Literal

import cv2
import numpy as np

from cotracker_pipeline.errors import UserError

LICENCE = (
    "rendered by cotracker_pipeline (Apache-2.0) with photographs from scikit-image (CC0 / public domain) "
    "and scikit-learn (CC BY 2.0: china.jpg by danielbuechele, flower.jpg by vultilion)"
)

SETS = {
    "train": (
        "astronaut.png",
        "brick.png",
        "camera.png",
        "coins.png",
        "flower.jpg",
        "grass.png",
        "hubble_deep_field.jpg",
        "ihc.png",
        "retina.jpg",
    ),
    "held-out": ("chelsea.png", "china.jpg", "coffee.png", "gravel.png", "rocket.jpg"),
}
SURFACES = frozenset({"brick.png", "grass.png", "gravel.png", "ihc.png"})

_FOLDERS = {"china.jpg": "sklearn.datasets.images", "flower.jpg": "sklearn.datasets.images"}


@lru_cache
def photographs(which: Literal["train", "held-out"]) -> Mapping[str, np.ndarray]:
    """One of the two disjoint sets: file name -> (height, width, 3) uint8, RGB.

    Raises ``UserError`` when an installed package lacks one of its photographs.
    """
    return MappingProxyType({name: _read(name) for name in SETS[which]})


def _read(name: str) -> np.ndarray:
    package = _FOLDERS.get(name, "skimage.data")
    path = files(package) / name
    image = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)
    if image is None:
        raise UserError(f"{path}: the photograph is missing; install {package.split('.')[0]} as pinned")
    image.flags.writeable = False
    return image
