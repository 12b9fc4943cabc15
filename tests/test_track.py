"""The command line of track, on a video of noise with the smallest models."""

import sys
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from small_models import TINY_OF

from cotracker_pipeline import command, track
from cotracker_pipeline.config import Recipe, Strategy
from cotracker_pipeline.errors import UserError
from cotracker_pipeline.models.build import build_model
from cotracker_pipeline.models.checkpoints import save_model

FRAMES, HEIGHT, WIDTH = 6, 24, 40
WRITTEN = {"overlay.mp4", "tracks.csv", "tracks.npz"}


@pytest.fixture
def video(tmp_path: Path) -> Path:
    folder = tmp_path / "frames"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for time in range(FRAMES):
        cv2.imwrite(str(folder / f"{time}.png"), rng.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8))
    return folder


@pytest.fixture
def mask(tmp_path: Path) -> Path:
    image = np.zeros((HEIGHT, WIDTH), np.uint8)
    image[:, WIDTH // 2 :] = 7
    cv2.imwrite(str(tmp_path / "mask.png"), image)
    return tmp_path / "mask.png"


def checkpoint(folder: Path, architecture: str = "cotracker2") -> Path:
    torch.manual_seed(0)
    size = TINY_OF[architecture]
    save_model(folder / "m.safetensors", build_model(size, Recipe(), Strategy()), size, Recipe())
    return folder / "m.safetensors"


@pytest.fixture
def run(video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """``run(*options, architecture=...)``: the arrays that were written."""

    def run_with(*options: object, architecture: str = "cotracker2") -> dict[str, np.ndarray]:
        weights = checkpoint(tmp_path, architecture)
        given = [video, "--checkpoint", weights, "--output", tmp_path / "out", "--iterations", 1, *options]
        monkeypatch.setattr(sys, "argv", ["track", *map(str, given)])
        track.main()
        with np.load(tmp_path / "out/tracks.npz") as file:
            return dict(file)

    return run_with


@pytest.mark.parametrize("architecture", TINY_OF)
def test_a_grid(architecture: str, run, tmp_path: Path) -> None:
    arrays = run("--grid", 3, "--query-frame", 2, architecture=architecture)
    assert {path.name for path in (tmp_path / "out").iterdir()} == WRITTEN
    assert arrays["tracks"].shape == (9, FRAMES, 2)
    assert set(arrays["queries"][:, 0]) == {2}
    np.testing.assert_array_equal(arrays["tracks"][:, 2], arrays["queries"][:, 1:].astype(np.float32))
    reached = FRAMES if architecture == "cotracker3-offline" else FRAMES - 2
    assert arrays["valid"].sum() == 9 * reached
    assert len(pd.read_csv(tmp_path / "out/tracks.csv")) == 9 * reached
    overlay = cv2.VideoCapture(str(tmp_path / "out/overlay.mp4"))
    assert overlay.get(cv2.CAP_PROP_FRAME_COUNT) == FRAMES


def test_backward_reaches_every_frame(run) -> None:
    assert run("--grid", 2, "--query-frame", 4, "--backward")["valid"].all()


def test_without_more_a_grid_on_the_first_frame(run) -> None:
    queries = run()["queries"]
    assert queries.shape == (track.GRID_SIDE**2, 3)
    assert not queries[:, 0].any()


def test_given_points(run, tmp_path: Path) -> None:
    (tmp_path / "q.csv").write_text("frame,x,y\n0,3.5,4.5\n3,30,20\n")
    arrays = run("--queries", tmp_path / "q.csv")
    np.testing.assert_array_equal(arrays["queries"], [[0, 3.5, 4.5], [3, 30, 20]])
    np.testing.assert_array_equal(arrays["valid"].sum(axis=1), [FRAMES, FRAMES - 3])


def test_a_grid_inside_a_mask(run, mask: Path) -> None:
    queries = run("--grid", 4, "--mask", mask)["queries"]
    assert len(queries) == 8
    assert (queries[:, 1] > WIDTH / 2).all()


def test_every_pixel(run, mask: Path, tmp_path: Path) -> None:
    run("--grid", 2)
    arrays = run("--dense", "--query-frame", 1)
    pixels = arrays["tracks"].reshape(HEIGHT, WIDTH, FRAMES, 2)[:, :, 1]
    x, y = np.meshgrid(np.arange(WIDTH) + 0.5, np.arange(HEIGHT) + 0.5)
    np.testing.assert_array_equal(pixels, np.stack([x, y], axis=-1))
    # a table would be endless, that of other tracks a lie
    assert {path.name for path in (tmp_path / "out").iterdir()} == WRITTEN - {"tracks.csv"}
    assert len(run("--dense", "--mask", mask)["tracks"]) == HEIGHT * WIDTH // 2


def test_support_points_are_added_where_queries_do_not_cover_the_video(
    run, mask: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    plain = track.UserPredictor

    def noted(*arguments: object) -> object:
        asked.append(arguments[3])
        return plain(*arguments)

    monkeypatch.setattr(track, "UserPredictor", noted)
    (tmp_path / "q.csv").write_text("frame,x,y\n0,3.5,4.5\n")
    run("--grid", 2)
    run("--grid", 2, "--mask", mask)
    run("--queries", tmp_path / "q.csv")
    assert asked == [0, 6, 6]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--grid", "0"], "--grid 0: give at least 1"),
        (["--iterations", "0"], "--iterations 0: give at least 1"),
        (["--query-frame", "6"], "--query-frame 6: .*frames has the frames 0 to 5"),
        (["--query-frame", "-1"], "--query-frame -1: .*frames has the frames 0 to 5"),
        (["--visibility-threshold", "1"], "--visibility-threshold 1.0: give a number between 0 and 1"),
        (["--queries", "q.csv", "--mask", "m.png"], "--queries names points and their frames; leave out"),
        (["--queries", "q.csv", "--query-frame", "0"], "--queries names points and their frames; leave out"),
        (["--queries", "none.csv"], "none.csv: cannot be read as a table"),
        (["--mask", "none.png"], "none.png: cannot be read"),
        (["--mask", "frames/nothing"], "nothing: cannot be read"),
        (["--mask", "small.png"], "small.png: is 4x3 pixels, the video 40x24; give a mask of its size"),
        (["--mask", "black.png"], "black.png: no point lies where it is not black"),
    ],
)
def test_mistakes_are_named(
    options: list[str], sentence: str, run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    cv2.imwrite("small.png", np.full((3, 4), 255, np.uint8))
    cv2.imwrite("black.png", np.zeros((HEIGHT, WIDTH), np.uint8))
    with pytest.raises(UserError, match=sentence):
        run(*options)
    assert not [path for path in (tmp_path / "out").glob("*") if path.is_file()]


@pytest.mark.parametrize(
    ("name", "sentence"), [("nothing", "no such file or folder"), ("text.mp4", "cannot be read as a video")]
)
def test_what_is_no_video_is_one_sentence(
    name: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    given = [tmp_path / name, "--checkpoint", checkpoint(tmp_path), "--output", tmp_path / "out"]
    monkeypatch.setattr(sys, "argv", ["track", *map(str, given)])
    with pytest.raises(SystemExit) as ended:
        command.run(track.main)
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert sentence in line


def test_an_output_that_is_no_folder_is_told_first(run, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        run()
