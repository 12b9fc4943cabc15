"""Tracks that are written are a user's own tracks: they can be converted, and are the same."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cotracker_pipeline.data.formats import FORMATS
from cotracker_pipeline.data.formats.query_table import read_queries
from cotracker_pipeline.data.store import Sequence
from cotracker_pipeline.data.track_files import write_csv, write_npz
from cotracker_pipeline.errors import UserError

FRAMES = Path(__file__).parents[1] / "fixtures/kubric/0000/frames"
POINTS, LENGTH = 13, 24


@pytest.fixture
def labels() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    valid = np.arange(LENGTH) >= rng.integers(0, LENGTH, (POINTS, 1))
    tracks = np.where(valid[..., None], rng.uniform(0, 128, (POINTS, LENGTH, 2)), np.nan).astype(np.float32)
    visible = valid & (rng.random((POINTS, LENGTH)) < 0.7)
    # every track is seen: what is never seen is not converted
    visible[:, -1] = True
    return tracks, visible, valid


def converted(folder: Path) -> Sequence:
    shutil.copytree(FRAMES, folder / "frames")
    (entry,) = FORMATS["frames"].entries(folder)
    return entry.read()


def test_arrays(labels: tuple[np.ndarray, ...], tmp_path: Path) -> None:
    queries = np.random.default_rng(1).random((POINTS, 3))
    write_npz(tmp_path / "tracks.npz", *labels, queries)
    sequence, (tracks, visible, valid) = converted(tmp_path), labels
    np.testing.assert_array_equal(sequence.tracks[valid], tracks[valid])
    np.testing.assert_array_equal(sequence.visible, visible)
    np.testing.assert_array_equal(sequence.valid, valid)
    with np.load(tmp_path / "tracks.npz") as file:
        np.testing.assert_array_equal(file["queries"], queries)


def test_table(labels: tuple[np.ndarray, ...], tmp_path: Path) -> None:
    write_csv(tmp_path / "tracks.csv", *labels)
    rows = pd.read_csv(tmp_path / "tracks.csv")
    assert list(rows) == ["track", "frame", "x", "y", "visible"]
    sequence, (tracks, visible, valid) = converted(tmp_path), labels
    assert len(rows) == valid.sum()
    np.testing.assert_allclose(sequence.tracks[valid], tracks[valid], atol=6e-4)
    np.testing.assert_array_equal(sequence.visible, visible)
    np.testing.assert_array_equal(sequence.valid, valid)


def test_queries_of_a_user(tmp_path: Path) -> None:
    path = tmp_path / "q.csv"
    path.write_text("name, frame, x, y\nnose,0,0.5,1.25\near,3,40,24\n")
    np.testing.assert_array_equal(read_queries(path, 4, (24, 40)), [[0, 0.5, 1.25], [3, 40, 24]])
    path.write_text("row,column,frame\n1,2,3\n")
    np.testing.assert_array_equal(read_queries(path, 4, (24, 40)), [[3, 2.5, 1.5]])


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "cannot be read as a table"),
        ("frame,x\n0,1\n", "has no column column, row"),
        ("frame,x,y\n", "has no row below its header"),
        ("frame,x,y\n0,1,2\n4,1,2\n", "'frame' must be whole numbers from 0 to 3"),
        ("frame,x,y\n0,1,nose\n", "'y' is no finite number in line 2"),
        ("frame,x,y\n0,1,2\n0,41,2\n", "the point in line 3 lies outside of the frame of 40x24 pixels"),
        ("frame,x,y\n0,1,-0.1\n", "the point in line 2 lies outside"),
    ],
)
def test_queries_that_are_none_are_named(content: str, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "q.csv").write_text(content)
    with pytest.raises(UserError, match=rf"q\.csv: {sentence}"):
        read_queries(tmp_path / "q.csv", 4, (24, 40))
