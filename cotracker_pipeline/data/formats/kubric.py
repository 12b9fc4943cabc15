"""CoTracker's Kubric: MOVi-F with 24 frames, and CoTracker3_Kubric with 120.

``ROOT/NAME/NAME.npy`` is a pickled dictionary: ``coords`` (N, T, 2 or 3) raster pixels; ``visibility`` (N,
T) bool, **true where the point is hidden**, whatever the name says; ``coords_depth`` (N, T), optional, the
distance to the camera.  ``ROOT/NAME/frames`` holds the frames, which sort by name.  Depth maps beside them
are not read.
"""

from functools import partial
from pathlib import Path

import numpy as np

from cotracker_pipeline.data.formats.arrays import load_npy
from cotracker_pipeline.data.formats.format import Entry, Format, existing, inside_all
from cotracker_pipeline.data.formats.images import frame_files, read_frames
from cotracker_pipeline.data.formats.labels import array_of, labels_of, may_be_visible
from cotracker_pipeline.data.store import Sequence
from cotracker_pipeline.errors import UserError


def _units(root: Path) -> list[Path]:
    existing(root, "the folder that holds one folder a sequence")
    found = sorted(path.parent for path in root.glob("*/*.npy") if path.stem == path.parent.name)
    if not found:
        raise UserError(f"{root}: holds no NAME/NAME.npy; give the folder that holds one folder a sequence")
    return found


def _entries(folder: Path) -> list[Entry]:
    labels, frames = folder / f"{folder.name}.npy", frame_files(folder / "frames")
    files = inside_all(folder.parent, [labels, *frames])
    return [Entry(folder.name, files, partial(_read, folder.name, labels, frames))]


def _read(name: str, path: Path, frames: list[Path]) -> Sequence:
    annotation = load_npy(path)
    where = str(path)
    coords = array_of(annotation, "coords", where, (None, len(frames), None), "f")
    hidden = array_of(annotation, "visibility", where, coords.shape[:2], "b")
    if coords.shape[2] not in (2, 3):
        raise UserError(
            f"{where}: 'coords' has {coords.shape[2]} numbers a position, expected 2 or 3; get it again"
        )
    video = read_frames(frames)
    tracks = coords[..., :2]
    labels = labels_of(tracks, ~hidden & may_be_visible(tracks, video), True, where)
    extra = {}
    if "coords_depth" in annotation:
        depth = array_of(annotation, "coords_depth", where, coords.shape[:2], "f")
        extra["depth"] = depth[labels.kept].astype(np.float32)
    return Sequence(name, video, labels.tracks, labels.visible, labels.valid, extra=extra)


KUBRIC = Format(
    title="CoTracker Kubric",
    version="MOVi-F, 24 or 120 frames",
    licence="Apache-2.0",
    codec="jpeg",
    units=_units,
    entries=_entries,
)
