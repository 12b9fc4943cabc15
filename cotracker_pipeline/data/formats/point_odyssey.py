"""PointOdyssey v1.2.

``SPLIT/NAME/anno.npz``: ``trajs_2d`` (T, N, 2) floating; ``visibilities`` (T, N), 1 where visible, 2 where
the label is invalid; ``intrinsics`` (T, 3, 3) and ``extrinsics`` (T, 4, 4).  Positions occur that are NaN
or infinite: they are kept as not valid.  ``SPLIT/NAME/rgbs/rgb_*.jpg`` are the frames; masks, depths and
normals are not read.

Positions are projected with a principal point of half the image's size, so they are raster pixels.
"""

from functools import partial
from pathlib import Path

import numpy as np

from cotracker_pipeline.data.formats.arrays import load_npz
from cotracker_pipeline.data.formats.format import Entry, Format, existing, inside_all
from cotracker_pipeline.data.formats.images import frame_files, read_frames
from cotracker_pipeline.data.formats.labels import array_of, labels_of, may_be_visible
from cotracker_pipeline.data.store import Sequence
from cotracker_pipeline.errors import UserError

VISIBLE, INVALID = 1, 2


def _units(root: Path) -> list[Path]:
    existing(root, "the folder of a split, for example train")
    found = sorted(path.parent for path in root.glob("*/anno.npz"))
    if not found:
        raise UserError(
            f"{root}: holds no NAME/anno.npz; give the folder of a split, for example {root / 'train'}"
        )
    return found


def _entries(folder: Path) -> list[Entry]:
    labels, frames = folder / "anno.npz", frame_files(folder / "rgbs")
    files = inside_all(folder.parent, [labels, *frames])
    return [Entry(folder.name, files, partial(_read, folder.name, labels, frames))]


def _read(name: str, path: Path, frames: list[Path]) -> Sequence:
    annotation = load_npz(path, ("trajs_2d", "visibilities"), ("intrinsics", "extrinsics"))
    where, count = str(path), len(frames)
    positions = array_of(annotation, "trajs_2d", where, (count, None, 2), "f")
    flags = array_of(annotation, "visibilities", where, positions.shape[:2], "uib")
    video = read_frames(frames)
    tracks = positions.swapaxes(0, 1)
    valid = (flags.T != INVALID) & np.isfinite(tracks).all(-1)
    visible = (flags.T == VISIBLE) & valid & may_be_visible(tracks, video)
    labels = labels_of(tracks, visible, valid, where)
    extra = {}
    for key, stored, shape in (("intrinsics", "K", (3, 3)), ("extrinsics", "extrinsics", (4, 4))):
        if key in annotation:
            extra[stored] = array_of(annotation, key, where, (count, *shape), "f")
    return Sequence(name, video, labels.tracks, labels.visible, labels.valid, extra=extra)


POINT_ODYSSEY = Format(
    title="PointOdyssey",
    version="1.2",
    licence="CC BY-NC-SA 4.0 (the project's page; the card of its files says MIT)",
    codec="jpeg",
    units=_units,
    entries=_entries,
)
