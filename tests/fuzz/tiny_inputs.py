"""Inputs of every format that are read in a few milliseconds, and reading them after damage."""

import gzip
import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import simplejpeg
import torch

from cotracker_pipeline.data.formats import FORMATS
from cotracker_pipeline.data.store import Sequence
from cotracker_pipeline.errors import UserError

FRAMES, POINTS, SIDE = 3, 4, 16

_random = np.random.default_rng(0)
VIDEO = cv2.resize(_random.integers(0, 256, (4, 4, 3 * FRAMES), dtype=np.uint8), (SIDE, SIDE))
VIDEO = np.ascontiguousarray(VIDEO.reshape(SIDE, SIDE, FRAMES, 3).transpose(2, 0, 1, 3))
TRACKS = _random.uniform(-1, SIDE + 1, (POINTS, FRAMES, 2)).astype(np.float32)
HIDDEN = ((TRACKS < 0) | (TRACKS > SIDE)).any(-1)


def _frames(folder: Path, suffix: str) -> None:
    folder.mkdir(parents=True)
    for number, frame in enumerate(VIDEO):
        cv2.imwrite(str(folder / f"{number:05d}{suffix}"), frame[..., ::-1])


def _kubric(root: Path) -> None:
    _frames(root / "a/frames", ".png")
    labels = {"coords": TRACKS, "visibility": HIDDEN, "coords_depth": np.ones_like(HIDDEN, np.float32)}
    np.save(root / "a/a.npy", labels, allow_pickle=True)  # type: ignore[arg-type]


def _tapvid(video: object = VIDEO) -> dict[str, object]:
    return {"video": video, "points": TRACKS / SIDE, "occluded": HIDDEN}


def _davis(root: Path) -> None:
    (root / "tapvid_davis.pkl").write_bytes(pickle.dumps({"a": _tapvid(), "b": _tapvid()}, 4))


def _rgb_stacking(root: Path) -> None:
    (root / "tapvid_rgb_stacking.pkl").write_bytes(pickle.dumps([_tapvid()], 2))


def _kinetics(root: Path) -> None:
    video = np.array([simplejpeg.encode_jpeg(frame) for frame in VIDEO])
    (root / "0000_of_0001.pkl").write_bytes(pickle.dumps([_tapvid(video)], 4))


def _robotap(root: Path) -> None:
    (root / "robotap_split0.pkl").write_bytes(pickle.dumps({"a": _tapvid()}, 5))


def _point_odyssey(root: Path) -> None:
    _frames(root / "a/rgbs", ".jpg")
    np.savez_compressed(
        root / "a/anno.npz",
        trajs_2d=TRACKS.swapaxes(0, 1),
        visibilities=(~HIDDEN.T).astype(np.uint8),
        intrinsics=np.ones((FRAMES, 3, 3), np.float32),
    )


def _dynamic_replica(root: Path) -> None:
    frames = []
    for number, frame in enumerate(VIDEO):
        content = {"img": frame, "traj_2d": TRACKS[:, number], "verts_inds_vis": ~HIDDEN[:, number]}
        torch.save(
            {key: torch.from_numpy(value.copy()) for key, value in content.items()}, root / f"{number}.pth"
        )
        facts = {"sequence_name": "a", "frame_number": number, "camera_name": "left"}
        frames.append(facts | {"trajectories": {"path": f"{number}.pth"}})
    (root / "frame_annotations_valid.jgz").write_bytes(gzip.compress(json.dumps(frames).encode(), mtime=0))


def _own(root: Path) -> None:
    _frames(root / "frames", ".png")
    rows = [
        f"{track},{frame},{TRACKS[track, frame, 0]},{TRACKS[track, frame, 1]},{int(not HIDDEN[track, frame])}"
        for track, frame in np.ndindex(POINTS, FRAMES)
    ]
    (root / "tracks.csv").write_text("\n".join(["track,frame,x,y,visible", *rows]))


MAKERS: dict[str, Callable[[Path], None]] = {
    "kubric": _kubric,
    "tapvid-davis": _davis,
    "tapvid-rgb-stacking": _rgb_stacking,
    "tapvid-kinetics": _kinetics,
    "robotap": _robotap,
    "point-odyssey": _point_odyssey,
    "dynamic-replica": _dynamic_replica,
    "frames": _own,
}


def make(name: str, root: Path) -> list[Path]:
    """Write the input of a format to the new folder ``root``; its files."""
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    MAKERS[name](root)
    return sorted(path for path in root.rglob("*") if path.is_file())


def read(name: str, root: Path) -> list[Sequence] | None:
    """All sequences of an input; ``None`` where it is refused. Anything but a good sentence is an error."""
    try:
        units = FORMATS[name].units(root)
        sequences = [entry.read() for unit in units for entry in FORMATS[name].entries(unit)]
    except UserError as error:
        sentence = str(error)
        assert sentence.startswith((str(root), "sequence ")), sentence
        assert "\n" not in sentence
        assert "; " in sentence
        return None
    for sequence in sequences:
        _check(sequence)
    return sequences


def _check(sequence: Sequence) -> None:
    """What the store and the training rely on."""
    assert sequence.valid is not None
    assert np.isfinite(sequence.tracks).all()
    assert not (sequence.visible & ~sequence.valid).any()
    assert sequence.visible.any(axis=1).all()
    assert len(sequence.video) == sequence.tracks.shape[1]
