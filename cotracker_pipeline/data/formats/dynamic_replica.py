"""Dynamic Replica.

``SPLIT/frame_annotations_SPLIT.jgz`` is a gzipped JSON list with one object a frame: ``sequence_name``,
``frame_number``, ``camera_name`` (only "left" has tracks) and ``trajectories.path``, a torch file below SPLIT
with ``img`` (H, W, 3) uint8, ``traj_2d`` (N, 2 or more) and ``verts_inds_vis`` (N,) bool.

The owner does not state where pixel centres lie; positions are taken as raster pixels, as the screen space
of the renderer has its origin at the corner of the image.
"""

import gzip
import json
import pickle
import zlib
from collections import defaultdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cotracker_pipeline.data.formats.format import Entry, Format, existing, inside
from cotracker_pipeline.data.formats.labels import array_of, labels_of, may_be_visible
from cotracker_pipeline.data.store import Sequence
from cotracker_pipeline.errors import UserError

MAX_ANNOTATION_BYTES = 1 << 30


def _units(root: Path) -> list[Path]:
    existing(root, "the folder of a split, for example valid")
    found = sorted(root.glob("frame_annotations_*.jgz"))
    if not found:
        raise UserError(
            f"{root}: holds no frame_annotations_*.jgz; give a split, for example {root / 'valid'}"
        )
    return found


def _entries(annotations: Path) -> list[Entry]:
    root = annotations.parent
    frames: dict[str, list[tuple[int, Path]]] = defaultdict(list)
    for number, frame in enumerate(_frames(annotations)):
        if not _is_frame(frame):
            raise UserError(
                f"{annotations}: frame {number} has no sequence_name, frame_number, camera_name or "
                "trajectories.path; get it again"
            )
        if frame["camera_name"] == "left":
            path = inside(root, root / frame["trajectories"]["path"])
            frames[frame["sequence_name"]].append((frame["frame_number"], path))
    if not frames:
        raise UserError(f"{annotations}: lists no frame of the camera 'left'; get it again")
    return [_entry(name, frames[name]) for name in sorted(frames)]


def _entry(name: str, frames: list[tuple[int, Path]]) -> Entry:
    paths = tuple(path for _, path in sorted(frames))
    return Entry(name, paths, partial(_read, name, paths))


def _frames(path: Path) -> list[Any]:
    try:
        with gzip.open(path) as file:
            content = file.read(MAX_ANNOTATION_BYTES + 1)
        frames = json.loads(content) if len(content) <= MAX_ANNOTATION_BYTES else None
    except (OSError, EOFError, ValueError, RecursionError, zlib.error) as error:
        raise UserError(f"{path}: cannot be read as gzipped JSON; it is damaged, get it again") from error
    if not isinstance(frames, list):
        raise UserError(f"{path}: is no list of frames of at most 1 GiB; get it again")
    return frames


def _is_frame(frame: Any) -> bool:
    if not isinstance(frame, dict) or not isinstance(frame.get("trajectories"), dict):
        return False
    texts = (frame.get("sequence_name"), frame.get("camera_name"), frame["trajectories"].get("path"))
    return all(isinstance(text, str) for text in texts) and type(frame.get("frame_number")) is int


def _read(name: str, paths: tuple[Path, ...]) -> Sequence:
    first = _frame(paths[0], None, None)
    frames = [first, *(_frame(path, first[0].shape, first[1].shape) for path in paths[1:])]
    video, tracks, seen = (np.stack(parts) for parts in zip(*frames, strict=True))
    tracks = tracks.swapaxes(0, 1)
    visible = seen.T & may_be_visible(tracks, video)
    labels = labels_of(tracks, visible, True, str(paths[0].parent))
    return Sequence(name, video, labels.tracks, labels.visible, labels.valid)


def _frame(
    path: Path, image_shape: tuple[int, ...] | None, tracks_shape: tuple[int, ...] | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Image (H, W, 3), positions (N, 2) and visibility (N,) of one frame, of the shapes of the first."""
    values = _tensors(path)
    where = str(path)
    image = array_of(values, "img", where, image_shape or (None, None, 3), "u")
    positions = array_of(values, "traj_2d", where, (tracks_shape[0] if tracks_shape else None, None), "f")
    seen = array_of(values, "verts_inds_vis", where, positions.shape[:1], "b")
    if positions.shape[1] < 2 or image.dtype != np.uint8:
        raise UserError(f"{where}: 'traj_2d' or 'img' is of another type than published; get it again")
    return image, positions[:, :2], seen


def _tensors(path: Path) -> Any:
    try:
        values = torch.load(path, map_location="cpu", weights_only=True)
        return {key: _as_array(value) for key, value in values.items()} if isinstance(values, dict) else None
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file; get the whole split") from error
    except pickle.UnpicklingError as error:
        raise UserError(
            f"{path}: refused, it holds more than tensors; get it again from its owner"
        ) from error
    # torch meets damage with any type
    except Exception as error:
        raise UserError(f"{path}: cannot be read as a torch file; it is damaged, get it again") from error


def _as_array(value: Any) -> Any:
    return value.numpy() if isinstance(value, torch.Tensor) else value


DYNAMIC_REPLICA = Format(
    title="Dynamic Replica",
    version="frame_annotations_SPLIT.jgz",
    licence="CC BY-NC 4.0",
    codec="jpeg",
    units=_units,
    entries=_entries,
)
