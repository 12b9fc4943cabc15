"""The TAP-Vid benchmarks and RoboTAP: pickles of videos with ``points`` and ``occluded``.

A video is a dictionary: ``video`` (T, H, W, 3) uint8, or T encoded frames; ``points`` (N, T, 2) floating;
``occluded`` (N, T) bool.  DAVIS and RoboTAP are dictionaries of these by name, RGB-Stacking and Kinetics
lists.

``points`` are fractions of the width and height. Of the whole image in all sets but one: 0 is its left
edge, 1 its right edge, so ``points * [W, H]`` are raster pixels.  The pickles of Kinetics, as their
generator makes them, hold ``(x * W - 0.5) / W``: there ``points * [W, H]`` are pixel indices.

The labels of RGB-Stacking are rendered and known under occlusion; those of the others were made by people,
and a hidden position means nothing.  Visible points outside of the image stay visible, as the metric has
it.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from cotracker_pipeline.data.coordinates import index_to_raster
from cotracker_pipeline.data.formats.format import Entry, Format, existing, inside
from cotracker_pipeline.data.formats.images import stack_frames
from cotracker_pipeline.data.formats.labels import array_of, labels_of
from cotracker_pipeline.data.formats.unpickling import load_pickle
from cotracker_pipeline.data.store import Sequence
from cotracker_pipeline.errors import UserError, may_be_told

ToRaster = Callable[[np.ndarray], np.ndarray]


def _units(pattern: str, root: Path) -> list[Path]:
    """The pickles: ``root`` itself, or those in the folder ``root`` whose names match ``pattern``."""
    if existing(root, f"{pattern} or the folder that holds it").is_file():
        return [root]
    found = sorted(root.glob(pattern))
    if not found:
        raise UserError(f"{root}: holds no {pattern}; give the folder that does, or the file itself")
    return [inside(root, path) for path in found]


def _dictionary(to_raster: ToRaster, known: Literal["visible", "always"], path: Path) -> list[Entry]:
    videos = load_pickle(path)
    if not isinstance(videos, dict) or not all(
        isinstance(name, str) and may_be_told(name) for name in videos
    ):
        raise UserError(
            f"{path}: is a {type(videos).__name__}, not a dictionary of videos by name; get it again"
        )
    return [
        Entry(name, (path,), partial(_read, name, video, f"{path}: {name}", to_raster, known))
        for name, video in sorted(videos.items())
    ]


def _list(to_raster: ToRaster, known: Literal["visible", "always"], path: Path) -> list[Entry]:
    videos = load_pickle(path)
    if not isinstance(videos, list):
        raise UserError(f"{path}: is a {type(videos).__name__}, not a list of videos; get it again")
    names = [f"{path.stem}-{number:04d}" for number in range(len(videos))]
    return [
        Entry(name, (path,), partial(_read, name, video, f"{path}: video {number}", to_raster, known))
        for number, (name, video) in enumerate(zip(names, videos, strict=True))
    ]


def _read(name: str, values: Any, where: str, to_raster: ToRaster, known: str) -> Sequence:
    video = _video(values, where)
    points = array_of(values, "points", where, (None, len(video), 2), "f")
    occluded = array_of(values, "occluded", where, points.shape[:2], "b")
    height, width = video.shape[1:3]
    with np.errstate(over="ignore", invalid="ignore"):
        tracks = to_raster(points * np.array([width, height], points.dtype))
    labels = labels_of(tracks, ~occluded, True if known == "always" else ~occluded, where)
    return Sequence(name, video, labels.tracks, labels.visible, labels.valid)


def _video(values: Any, where: str) -> np.ndarray:
    frames = values.get("video") if isinstance(values, dict) else None
    if isinstance(frames, np.ndarray) and frames.dtype == np.uint8:
        video = array_of(values, "video", where, (None, None, None, 3), "u")
    elif isinstance(frames, list | np.ndarray) and all(isinstance(frame, bytes) for frame in frames):
        encoded = ((f"{where}: frame {number}", bytes(frame)) for number, frame in enumerate(frames))
        video = stack_frames(encoded, len(frames))
    else:
        raise UserError(f"{where}: 'video' holds neither uint8 frames nor encoded ones; get the file again")
    if not video.size:
        raise UserError(f"{where}: 'video' has no pixel; get the file again")
    return video


def _unchanged(raster: np.ndarray) -> np.ndarray:
    return raster


TAPVID_DAVIS = Format(
    title="TAP-Vid DAVIS",
    version="tapvid_davis.pkl",
    licence="annotations CC BY 4.0; videos as DAVIS 2017 states",
    codec="raw",
    units=partial(_units, "tapvid_davis.pkl"),
    entries=partial(_dictionary, _unchanged, "visible"),
)
TAPVID_RGB_STACKING = Format(
    title="TAP-Vid RGB-Stacking",
    version="tapvid_rgb_stacking.pkl",
    licence="CC BY 4.0",
    codec="raw",
    units=partial(_units, "tapvid_rgb_stacking.pkl"),
    entries=partial(_list, _unchanged, "always"),
)
TAPVID_KINETICS = Format(
    title="TAP-Vid Kinetics",
    version="NNNN_of_NNNN.pkl",
    licence="annotations CC BY 4.0; each video as its uploader states",
    codec="raw",
    units=partial(_units, "*_of_*.pkl"),
    entries=partial(_list, index_to_raster, "visible"),
)
ROBOTAP = Format(
    title="RoboTAP",
    version="robotap_splitN.pkl",
    licence="CC BY 4.0",
    codec="raw",
    units=partial(_units, "robotap_split*.pkl"),
    entries=partial(_dictionary, _unchanged, "visible"),
)
