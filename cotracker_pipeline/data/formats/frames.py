"""A user's own data: frames or a video file, with a table of tracks where there is one.

A sequence is a folder with either a folder ``frames`` of PNG or JPEG files, which sort by name, or one video
file, and with ``tracks.csv`` or ``tracks.npz``; without, it has no tracks, and evaluation reports its cycle
error.  The input is such a folder, or a folder of such folders.

``tracks.csv`` has a header and one row a track and frame, in any order:

==================== ==============================================================================
``track``            any name or number of the track
``frame``            number of the frame, from 0
``x``, ``y``         position in raster pixels: the centre of the first pixel is 0.5; or instead
``column``, ``row``  position in pixel indices: the centre of the first pixel is 0
``visible``          1 or 0; 1 if the column is left out
==================== ==============================================================================

A track and frame without a row is hidden, at a position that is not known.

``tracks.npz`` has ``tracks`` (N, T, 2) floating, x and y in raster pixels, or instead ``indices``, the same
in pixel indices; and, each optional, ``visible`` and ``valid`` (N, T) bool (the position is known), by
default everywhere.
"""

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from cotracker_pipeline.data.coordinates import index_to_raster
from cotracker_pipeline.data.formats.arrays import load_npz
from cotracker_pipeline.data.formats.format import Entry, Format, existing, inside_all
from cotracker_pipeline.data.formats.images import VIDEO_SUFFIXES, frame_files, read_frames, read_video
from cotracker_pipeline.data.formats.labels import array_of, labels_of, may_be_visible
from cotracker_pipeline.data.formats.tables import numbers, places, read_table
from cotracker_pipeline.data.store import Sequence
from cotracker_pipeline.errors import UserError

TABLES = ("tracks.csv", "tracks.npz")


def _units(root: Path) -> list[Path]:
    existing(root, "a folder with frames")
    if _tables(root):
        return [root]
    found = sorted(folder for folder in root.glob("*/") if _is_sequence(folder))
    if not found and not _is_sequence(root):
        raise UserError(f"{root}: holds no folder 'frames' and no video, nor does a folder in it; add one")
    return found or [root]


def _is_sequence(folder: Path) -> bool:
    return bool(_tables(folder) or _videos(folder) or (folder / "frames").is_dir())


def _tables(folder: Path) -> list[Path]:
    return [folder / name for name in TABLES if (folder / name).is_file()]


def _videos(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*") if path.suffix.lower() in VIDEO_SUFFIXES)


def _entries(folder: Path) -> list[Entry]:
    tables, videos = _tables(folder), _videos(folder)
    if len(tables) > 1:
        raise UserError(f"{folder}: holds both tracks.csv and tracks.npz; remove one")
    if len(videos) + (folder / "frames").is_dir() != 1:
        raise UserError(f"{folder}: must hold either a folder 'frames' or one video file; add or remove one")
    pictures = videos or frame_files(folder / "frames")
    files = inside_all(folder, [*tables, *pictures])
    name = folder.resolve().name
    return [Entry(name, files, partial(_read, name, tables, pictures))]


def _read(name: str, tables: list[Path], pictures: list[Path]) -> Sequence:
    is_video = pictures[0].suffix.lower() in VIDEO_SUFFIXES
    video = read_video(pictures[0]) if is_video else read_frames(pictures)
    tracks, visible, valid = _tracks(tables, len(video))
    where = str(tables[0]) if tables else name
    labels = labels_of(tracks, visible & may_be_visible(tracks, video), valid, where)
    return Sequence(name, video, labels.tracks, labels.visible, labels.valid, extra={"track": labels.kept})


def _tracks(tables: list[Path], frames: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Tracks (N, T, 2) raster pixels, visible and valid (N, T) of the one table, or of none."""
    if not tables:
        return np.empty((0, frames, 2)), np.empty((0, frames), bool), np.empty((0, frames), bool)
    read = _csv if tables[0].suffix == ".csv" else _npz
    return read(tables[0], frames)


def _npz(path: Path, frames: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Tracks (N, T, 2) raster pixels, visible and valid (N, T) of ``tracks.npz``."""
    values = load_npz(path, (), ("tracks", "indices", "visible", "valid"))
    if ("tracks" in values) == ("indices" in values):
        raise UserError(f"{path}: must have either 'tracks' or 'indices'; add or remove one")
    key = "tracks" if "tracks" in values else "indices"
    positions = array_of(values, key, str(path), (None, frames, 2), "f")
    flags = [
        array_of(values, flag, str(path), positions.shape[:2], "b") if flag in values else None
        for flag in ("visible", "valid")
    ]
    visible, valid = (np.ones(positions.shape[:2], bool) if flag is None else flag for flag in flags)
    return index_to_raster(positions) if key == "indices" else positions, visible & valid, valid


def _csv(path: Path, frames: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Tracks (N, T, 2) raster pixels, visible and valid (N, T) of ``tracks.csv``."""
    rows = read_table(path, ("track",))
    number, positions = places(rows, frames, path)
    if rows.duplicated(["track", "frame"]).any():
        raise UserError(f"{path}: a track has two rows of one frame; remove one")
    track, names = pd.factorize(rows["track"], sort=True)
    if (track < 0).any():
        raise UserError(f"{path}: 'track' is empty in a row; name the track")
    place = track, number
    tracks = np.zeros((len(names), frames, 2))
    tracks[place] = positions
    valid, visible = (np.zeros((len(names), frames), bool) for _ in range(2))
    valid[place] = True
    visible[place] = _flags(rows, path)
    return tracks, visible, valid


def _flags(rows: pd.DataFrame, path: Path) -> np.ndarray:
    if "visible" not in rows:
        return np.ones(len(rows), bool)
    flags = numbers(rows, "visible", path)
    if not np.isin(flags, (0, 1)).all():
        raise UserError(f"{path}: 'visible' must be 0 or 1; mend the other values")
    return flags == 1


FRAMES = Format(
    title="own frames or video",
    version="tracks.csv or tracks.npz",
    licence="as the owner of the data states",
    codec="raw",
    units=_units,
    entries=_entries,
)
