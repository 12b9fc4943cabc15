"""The contact sheet: which sequences and frames it shows, and where it draws tracks."""

from pathlib import Path

import numpy as np
import pytest

from cotracker_pipeline.data.contact_sheet import (
    CELL_HEIGHT,
    CELL_WIDTH,
    MOMENTS,
    STRIPS,
    TRACKS,
    draw_contact_sheet,
)
from cotracker_pipeline.data.store import Sequence, ShardReader, write_shard

GREY = 90


def sequence(
    name: str, frames: int = 5, height: int = 72, width: int = 96, level: int = GREY, tracks: int = 1
) -> Sequence:
    """Grey, with each track at (24, 18), a quarter of the picture; the first frame is dark."""
    video = np.full((frames, height, width, 3), level, np.uint8)
    video[0] = level // 2
    positions = np.tile(np.array([24, 18], np.float32), (tracks, frames, 1))
    return Sequence(name, video, positions, np.ones((tracks, frames), bool))


def sheet(tmp_path: Path, *sequences: Sequence, most: int = 24) -> np.ndarray:
    write_shard(tmp_path / "0.h5", sequences, {"source": "test", "licence": "CC0"})
    with ShardReader(tmp_path / "0.h5") as reader:
        return draw_contact_sheet([reader], most)


def cell(picture: np.ndarray, column: int, strips: int = 1, row: int = 0) -> np.ndarray:
    """One frame on a sheet of ``strips`` rows, without what surrounds it."""
    height, width = picture.shape[0] // strips, picture.shape[1] // (STRIPS * MOMENTS)
    top = row * height + 18
    return picture[top : top + CELL_HEIGHT, column * width : column * width + CELL_WIDTH]


def is_coloured(pixel: np.ndarray) -> bool:
    return int(pixel.max()) - int(pixel.min()) > 100


def test_frames_from_the_first_to_the_last_are_shown(tmp_path: Path) -> None:
    picture = sheet(tmp_path, sequence("a"))
    corners = [cell(picture, column)[-1, -1].tolist() for column in range(MOMENTS)]
    assert corners == [[GREY // 2] * 3, *([[GREY] * 3] * (MOMENTS - 1))]


@pytest.mark.parametrize("size", [(72, 96), (36, 48), (288, 384)])
def test_a_visible_point_is_a_dot_at_its_place_whatever_the_size(
    size: tuple[int, int], tmp_path: Path
) -> None:
    one = sequence("a", height=size[0], width=size[1])
    one.tracks[:] = np.array(size[::-1]) / 4
    here = cell(sheet(tmp_path, one), 1)
    rows, columns = np.nonzero(here.max(axis=-1).astype(int) - here.min(axis=-1) > 60)
    # the raster point a quarter of the way is the corner of four pixels
    assert columns.mean() + 0.5 == pytest.approx(CELL_WIDTH / 4, abs=0.3)
    assert rows.mean() + 0.5 == pytest.approx(CELL_HEIGHT / 4, abs=0.3)
    assert is_coloured(here[CELL_HEIGHT // 4, CELL_WIDTH // 4])


def test_a_hidden_point_is_a_ring_where_its_place_is_known_and_nothing_where_not(tmp_path: Path) -> None:
    one = sequence("a")
    visible, valid = np.array([[True] + [False] * 4]), np.array([[True] * 4 + [False]])
    picture = sheet(tmp_path, Sequence("a", one.video, one.tracks, visible, valid))
    row, column = CELL_HEIGHT // 4, CELL_WIDTH // 4
    assert is_coloured(cell(picture, 0)[row, column])
    ring = cell(picture, 1)
    assert ring[row, column].tolist() == [GREY] * 3
    assert is_coloured(ring[row, column + 3])
    assert (cell(picture, MOMENTS - 1) == GREY).all()


def test_pictures_keep_their_shape(tmp_path: Path) -> None:
    here = cell(sheet(tmp_path, sequence("a", height=96, width=48)), 1)
    shown = (here == GREY).all(axis=-1)
    assert shown[:, CELL_WIDTH // 2].sum() > 0.9 * CELL_HEIGHT
    assert shown[2].sum() == CELL_HEIGHT // 2


def test_sequences_are_chosen_from_all(tmp_path: Path) -> None:
    picture = sheet(tmp_path, *(sequence(f"{n:02d}", level=10 * n) for n in range(21)), most=3)
    assert picture.shape[0] == 2 * (picture.shape[0] // 2)
    levels = [
        int(cell(picture, column, strips=2, row=row)[-1, -1, 0])
        for row, column in ((0, MOMENTS - 1), (0, 2 * MOMENTS - 1), (1, MOMENTS - 1))
    ]
    assert levels == [0, 100, 200]


def test_one_frame_and_many_tracks_or_none(tmp_path: Path) -> None:
    picture = sheet(tmp_path, sequence("a", frames=1, tracks=2 * TRACKS), sequence("b", tracks=0))
    assert picture.shape[2] == 3
    assert picture.dtype == np.uint8


def test_positions_far_outside_are_no_error(tmp_path: Path) -> None:
    one = sequence("a", tracks=2)
    one.tracks[0], one.tracks[1] = 1e30, np.nan
    visible = np.array([[True] * 5, [False] * 5])
    sheet(tmp_path, Sequence("a", one.video, one.tracks, visible))
