"""The command ``describe``."""

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from cotracker_pipeline.data.store import Sequence, write_shard

ROOT = Path(__file__).parents[2]


def describe(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cotracker_pipeline.describe", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )


@pytest.fixture
def shards(tmp_path: Path) -> list[Path]:
    """Two files of one and two sequences, whose points move 3 and 1 pixels a frame."""
    paths = []
    for count, speed in ((1, 3), (2, 1)):
        tracks = np.zeros((4, 5, 2), np.float32)
        tracks[..., 0] = speed * np.arange(5)
        video = np.zeros((5, 16, 16, 3), np.uint8)
        sequences = [Sequence(f"s{number}", video, tracks, np.ones((4, 5), bool)) for number in range(count)]
        paths.append(tmp_path / f"{count}.h5")
        write_shard(paths[-1], sequences, {"source": f"set {count}", "licence": "CC0"})
    return paths


def test_each_file_and_all_of_them_are_lines_and_each_sequence_a_row(
    shards: list[Path], tmp_path: Path
) -> None:
    done = describe(*shards, "--csv", tmp_path / "out/a.csv", "--sheet", tmp_path / "out/a.png")
    assert done.returncode == 0, done.stderr
    first, second, both = (line.split() for line in done.stdout.splitlines()[2:5])
    assert first[:3] == [str(shards[0]), "set", "1"]
    assert (first[3:6], second[3:6], both[1:4]) == (["1", "5", "4"], ["2", "10", "8"], ["3", "15", "12"])
    assert [float(line[-1]) for line in (first, second, both)] == pytest.approx([3, 1, 3], abs=0.02)
    assert float(both[-2]) == pytest.approx(1, abs=0.02)
    rows = pd.read_csv(tmp_path / "out/a.csv")
    assert rows["sequence"].tolist() == ["s0", "s0", "s1"]
    assert rows["motion_median"].to_numpy() == pytest.approx([3, 1, 1], rel=0.003)
    picture = cv2.imread(str(tmp_path / "out/a.png"))
    assert picture is not None
    assert picture.shape[1] > picture.shape[0] > 100


def test_one_file_has_no_line_of_all(shards: list[Path]) -> None:
    done = describe(shards[0])
    assert done.returncode == 0, done.stderr
    assert "\nall " not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["none.h5"], "none.h5: no such file"),
        (["empty.h5"], "empty.h5: holds no sequence; give another file"),
        (["1.h5", "--sequences", "0"], "--sequences 0: give at least 1"),
        (["1.h5", "--sheet", "a.jpg"], "a.jpg: give a name that ends in .png"),
    ],
)
@pytest.mark.usefixtures("shards")
def test_mistakes_are_one_sentence_and_write_nothing(
    arguments: list[str], sentence: str, tmp_path: Path
) -> None:
    write_shard(tmp_path / "empty.h5", [], {"source": "test", "licence": "CC0"})
    files = sorted(tmp_path.iterdir())
    paths = [tmp_path / part if part.endswith((".h5", ".jpg")) else part for part in arguments]
    done = describe(*paths, "--csv", tmp_path / "a.csv")
    assert done.returncode == 2
    assert sentence in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert sorted(tmp_path.iterdir()) == files
