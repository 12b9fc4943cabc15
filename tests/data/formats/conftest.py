"""Miniatures of the published formats, and the same scene in the formats that are made here."""

import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from miniatures import FIXTURES, INPUTS, Sequences, read_all


@pytest.fixture(scope="session")
def read() -> Callable[[str], Sequences]:
    """``read(format)``: the sequences of the miniature."""
    return lambda name: read_all(name, INPUTS[name])


@pytest.fixture(scope="session")
def scene() -> dict[str, np.ndarray]:
    """Scene A as its Kubric file has it, read without the package: frames, coords, hidden."""
    folder = FIXTURES / "kubric/0000"
    labels = np.load(folder / "0000.npy", allow_pickle=True).item()
    frames = [cv2.imread(str(path))[..., ::-1] for path in sorted((folder / "frames").iterdir())]
    return {"frames": np.stack(frames), "coords": labels["coords"], "hidden": labels["visibility"]}


@pytest.fixture
def dynamic_replica(tmp_path: Path, scene: dict[str, np.ndarray]) -> Path:
    """Scene A as a split of Dynamic Replica, with a second camera that has no tracks."""
    root = tmp_path / "valid"
    (root / "scene/trajectories").mkdir(parents=True)
    frames = []
    for number in range(len(scene["frames"])):
        path = f"scene/trajectories/{number:06d}.pth"
        content = {
            "img": torch.from_numpy(scene["frames"][number].copy()),
            "traj_2d": torch.from_numpy(np.pad(scene["coords"][:, number], ((0, 0), (0, 1)))),
            "verts_inds_vis": torch.from_numpy(~scene["hidden"][:, number]),
        }
        torch.save(content, root / path)
        for camera in ("left", "right"):
            facts = {"sequence_name": "scene", "frame_number": number, "camera_name": camera}
            frames.append(facts | {"trajectories": {"path": path if camera == "left" else "none"}})
    with gzip.open(root / "frame_annotations_valid.jgz", "wt") as file:
        # the order of frames in the file is not the order in time
        json.dump(frames[::-1], file)
    return root


@pytest.fixture
def own_frames(tmp_path: Path, scene: dict[str, np.ndarray]) -> Path:
    """Scene A as a user's folder of frames with a table of tracks in raster pixels."""
    root = tmp_path / "mine"
    shutil.copytree(FIXTURES / "kubric/0000/frames", root / "frames")
    tracks, frames = scene["hidden"].shape
    lines = ["track,frame,x,y,visible"]
    for track in range(tracks):
        for frame in range(frames):
            x, y = scene["coords"][track, frame].tolist()
            # numbers of tracks with leading zeros sort as they count
            lines.append(f"{track:03d},{frame},{x!r},{y!r},{int(not scene['hidden'][track, frame])}")
    (root / "tracks.csv").write_text("\n".join(lines))
    return root
