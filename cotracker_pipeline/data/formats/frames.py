"""A user's own data: frames or a video file, with a table of tracks.

A sequence is a folder with ``tracks.csv`` or ``tracks.npz``, and either a folder ``frames`` of PNG or JPEG
files, which sort by name, or one video file.  The input is such a folder, or a folder of such folders.

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
from cotracker_pipeline.data.store import Sequence
from cotracker_pipeline.errors import UserError

TABLES = ("tracks.csv", "tracks.npz")


def _units(root: Path) -> list[Path]:
    existing(root, "a folder with frames and tracks")
    if _tables(root):
        return [root]
    found = sorted(folder for folder in root.glob("*/") if _tables(folder))
    if not found:
        raise UserError(f"{root}: holds no tracks.csv or tracks.npz, nor does a folder in it; add one")
    return found


def _tables(folder: Path) -> list[Path]:
    return [folder / name for name in TABLES if (folder / name).is_file()]


def _entries(folder: Path) -> list[Entry]:
    tables = _tables(folder)
    videos = sorted(path for path in folder.iterdir() if path.suffix.lower() in VIDEO_SUFFIXES)
    if len(tables) > 1:
        raise UserError(f"{folder}: holds both tracks.csv and tracks.npz; remove one")
    if len(videos) + (folder / "frames").is_dir() != 1:
        raise UserError(f"{folder}: must hold either a folder 'frames' or one video file; add or remove one")
    pictures = videos or frame_files(folder / "frames")
    files = inside_all(folder, [tables[0], *pictures])
    name = folder.resolve().name
    return [Entry(name, files, partial(_read, name, tables[0], pictures))]


def _read(name: str, table: Path, pictures: list[Path]) -> Sequence:
    is_video = pictures[0].suffix.lower() in VIDEO_SUFFIXES
    video = read_video(pictures[0]) if is_video else read_frames(pictures)
    read = _csv if table.suffix == ".csv" else _npz
    tracks, visible, valid = read(table, len(video))
    labels = labels_of(tracks, visible & may_be_visible(tracks, video), valid, str(table))
    return Sequence(name, video, labels.tracks, labels.visible, labels.valid, extra={"track": labels.kept})


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
    rows = _rows(path)
    columns = ("x", "y") if {"x", "y"} <= set(rows) else ("column", "row")
    missing = [key for key in ("track", "frame", *columns) if key not in rows]
    if missing:
        raise UserError(f"{path}: has no column {', '.join(missing)}; name it in the first line")
    if rows.empty:
        raise UserError(f"{path}: has no row below its header; add one a track and frame")
    number = _numbers(rows, "frame", path)
    if not ((number >= 0) & (number < frames) & (number == np.round(number))).all():
        raise UserError(
            f"{path}: 'frame' must be whole numbers from 0 to {frames - 1}; mend those that are not"
        )
    if rows.duplicated(["track", "frame"]).any():
        raise UserError(f"{path}: a track has two rows of one frame; remove one")
    track, names = pd.factorize(rows["track"], sort=True)
    if (track < 0).any():
        raise UserError(f"{path}: 'track' is empty in a row; name the track")
    place = track, number.astype(np.int64)
    positions = np.stack([_numbers(rows, key, path) for key in columns], axis=-1)
    tracks = np.zeros((len(names), frames, 2))
    tracks[place] = positions if columns == ("x", "y") else index_to_raster(positions)
    valid, visible = (np.zeros((len(names), frames), bool) for _ in range(2))
    valid[place] = True
    visible[place] = _flags(rows, path)
    return tracks, visible, valid


def _rows(path: Path) -> pd.DataFrame:
    try:
        return pd.read_csv(path, dtype=str, skipinitialspace=True)
    # the parser meets damage with many types
    except Exception as error:
        reason = " ".join(str(error).split())[:80]
        raise UserError(f"{path}: cannot be read as a table ({reason}); mend that line") from error


def _numbers(rows: pd.DataFrame, key: str, path: Path) -> np.ndarray:
    numbers = pd.to_numeric(rows[key], errors="coerce").to_numpy(np.float64)
    if not np.isfinite(numbers).all():
        line = int(np.flatnonzero(~np.isfinite(numbers))[0]) + 2
        raise UserError(f"{path}: '{key}' is no finite number in line {line}; mend it or remove the line")
    return numbers


def _flags(rows: pd.DataFrame, path: Path) -> np.ndarray:
    if "visible" not in rows:
        return np.ones(len(rows), bool)
    numbers = _numbers(rows, "visible", path)
    if not np.isin(numbers, (0, 1)).all():
        raise UserError(f"{path}: 'visible' must be 0 or 1; mend the other values")
    return numbers == 1


FRAMES = Format(
    title="own frames or video with tracks",
    version="tracks.csv or tracks.npz",
    licence="as the owner of the data states",
    codec="raw",
    units=_units,
    entries=_entries,
)
