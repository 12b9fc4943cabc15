"""Statistics of sequences."""

import tracemalloc
from collections.abc import Callable
from functools import reduce
from operator import add
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cotracker_pipeline.data.description import Description, describe_sequence
from cotracker_pipeline.data.description_rows import as_numbers, as_text
from cotracker_pipeline.data.store import Sequence, ShardReader, write_shard
from cotracker_pipeline.errors import DamagedData

PROVENANCE = {"source": "test", "licence": "CC0"}
Described = Callable[..., list[Description]]


def sequence(name: str, tracks: np.ndarray, visible: np.ndarray, valid: np.ndarray | None = None) -> Sequence:
    """Of pictures of 8x10 pixels."""
    video = np.zeros((tracks.shape[1], 8, 10, 3), np.uint8)
    return Sequence(name, video, tracks.astype(np.float32), visible, valid)


@pytest.fixture
def described(tmp_path: Path) -> Described:
    """``described(sequence, ...)``: the description of each, read from a shard."""

    def describe(*sequences: Sequence) -> list[Description]:
        write_shard(tmp_path / "0.h5", sequences, PROVENANCE)
        with ShardReader(tmp_path / "0.h5") as reader:
            return [describe_sequence(reader, index) for index in range(len(reader))]

    return describe


def known(described: Described) -> Description:
    """Of three tracks over four frames, which are counted by hand."""
    tracks = np.array(
        [
            [[1, 1], [4, 5], [4, 5], [4, 5]],  # moves 5, stays, stays
            [[2, 2], [2, 4], [2, 9], [2, 1]],  # moves 2, then leaves below the picture, and is back
            [[9, 7], [-3, 0], [5, 5], [9, 6]],  # seen at both ends only: nobody knows where it was between
        ]
    )
    visible = np.array([[1, 1, 1, 0], [1, 1, 0, 1], [1, 0, 0, 1]], bool)
    valid = np.array([[1, 1, 1, 1], [1, 1, 1, 1], [1, 0, 0, 1]], bool)
    (description,) = described(sequence("a", tracks, visible, valid))
    return description


def test_positions_are_counted_once_by_what_is_known_of_them(described: Described) -> None:
    found = known(described)
    assert (found.sequences, found.frames, found.tracks) == (1, 4, 3)
    assert (found.visible, found.hidden, found.outside, found.unknown) == (8, 1, 1, 2)
    assert found.smallest == found.largest == (4, 8, 10, 3)


def test_motion_is_that_of_points_seen_in_both_frames(described: Described) -> None:
    found = known(described)
    assert found.steps.sum() == 3
    assert found.motion(0.3) == 0
    assert found.motion(0.5) == pytest.approx(2, rel=0.003)
    assert found.motion(1) == pytest.approx(5, rel=0.003)


def test_rows_say_shares_and_motions(described: Described) -> None:
    row = as_numbers(known(described))
    assert {key: row[key] for key in ("frames", "height", "width", "tracks")} == {
        "frames": 4,
        "height": 8,
        "width": 10,
        "tracks": 3,
    }
    assert row["visible"] == pytest.approx(8 / 12)
    assert row["visible"] + row["hidden"] + row["outside"] + row["unknown"] == pytest.approx(1)
    assert row["motion_95"] == pytest.approx(5, rel=0.003)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10_000), spread=st.sampled_from([0.05, 2.0, 400.0]), count=st.integers(1, 3))
def test_joined_descriptions_are_those_of_all_motions(
    described: Described, seed: int, spread: float, count: int
) -> None:
    rng = np.random.default_rng(seed)
    sequences, motions = [], []
    for number in range(count):
        points, frames = rng.integers(1, 6), rng.integers(1, 9)
        tracks = rng.normal(0, spread, (points, frames, 2)).astype(np.float32)
        visible = rng.random((points, frames)) < 0.7
        sequences.append(sequence(str(number), tracks, visible))
        motions += [
            np.hypot(*(tracks[n, t + 1] - tracks[n, t]))
            for n in range(points)
            for t in range(frames - 1)
            if visible[n, t] and visible[n, t + 1]
        ]
    parts = described(*sequences)
    joined = reduce(add, parts)
    assert joined.steps.sum() == len(motions)
    assert joined.tracks == sum(len(one.tracks) for one in sequences)
    assert joined.visible == sum(int(one.visible.sum()) for one in sequences)
    assert joined.positions == sum(one.visible.size for one in sequences)
    lengths = [len(one.video) for one in sequences]
    assert (joined.smallest[0], joined.largest[0]) == (min(lengths), max(lengths))
    for share in (0.01, 0.5, 0.95, 1.0):
        if motions:
            exact = np.quantile(motions, share, method="inverted_cdf")
            assert joined.motion(share) == pytest.approx(exact, rel=0.003, abs=0.008)
        else:
            assert np.isnan(joined.motion(share))


def test_ranges_are_told_where_sizes_differ(described: Described) -> None:
    short, long = (
        sequence(name, np.ones((points, frames, 2)), np.ones((points, frames), bool))
        for name, points, frames in (("a", 2, 3), ("b", 5, 7))
    )
    text = as_text(reduce(add, described(short, long)))
    assert text["of one: T x H x W"] == "3-7 x 8 x 10"
    assert text["N"] == "2-5"
    assert (text["sequences"], text["frames"], text["tracks"]) == ("2", "10", "7")
    assert text["visible %"] == "100.0"
    assert text["median"] == "0.00"


def test_a_sequence_without_tracks_has_no_shares(described: Described) -> None:
    (found,) = described(sequence("a", np.zeros((0, 3, 2)), np.zeros((0, 3), bool)))
    assert as_text(found)["visible %"] == "nan"
    assert as_text(found)["95 %"] == "nan"


def test_a_visible_position_that_is_not_finite_is_told(described: Described) -> None:
    tracks = np.ones((1, 2, 2))
    tracks[0, 1, 0] = np.nan
    with pytest.raises(DamagedData, match=r"0\.h5: sequence a: a visible position is NaN or infinite; make"):
        described(sequence("a", tracks, np.ones((1, 2), bool)))
    (found,) = described(sequence("a", tracks, np.array([[True, False]])))
    assert found.outside == 1


def test_memory_is_that_of_the_labels_of_one_sequence(tmp_path: Path) -> None:
    points, frames = 500, 40
    one = sequence("a", np.ones((points, frames, 2)), np.ones((points, frames), bool))
    many = [Sequence(str(number), one.video, one.tracks, one.visible) for number in range(30)]
    write_shard(tmp_path / "0.h5", many, PROVENANCE)
    with ShardReader(tmp_path / "0.h5") as reader:
        describe_sequence(reader, 0)
        tracemalloc.start()
        reduce(add, (describe_sequence(reader, index) for index in range(len(reader))))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 6 * one.tracks.nbytes
