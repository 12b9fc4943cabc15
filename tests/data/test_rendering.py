"""Rendering whole shards."""

import json
from pathlib import Path

import numpy as np
import pytest

from cotracker_pipeline.data.engine import SceneSettings
from cotracker_pipeline.data.rendering import render_shard
from cotracker_pipeline.data.store import ShardReader, validate_shard

TINY = SceneSettings(frames=3, height=24, width=32, objects=(1, 2), texture_size=32, antialiasing=1)


def render(path: Path, indices: range) -> Path:
    render_shard(path, TINY, "train", indices, seed=5, points=16)
    return path


def test_shards_of_any_size_hold_the_same_sequences(tmp_path: Path) -> None:
    whole, part = render(tmp_path / "whole.h5", range(3)), render(tmp_path / "part.h5", range(1, 2))
    assert validate_shard(whole) == validate_shard(part) == []
    with ShardReader(whole) as all_three, ShardReader(part) as second:
        assert all_three.names == ["train-000000", "train-000001", "train-000002"]
        assert second.names == ["train-000001"]
        np.testing.assert_array_equal(all_three.frames(1), second.frames(0))
        np.testing.assert_array_equal(all_three.labels(1)[0], second.labels(0)[0])


def test_same_settings_same_bytes(tmp_path: Path) -> None:
    first, second = render(tmp_path / "1.h5", range(1)), render(tmp_path / "2.h5", range(1))
    assert first.read_bytes() == second.read_bytes()


def test_provenance_says_how_to_make_it_again(tmp_path: Path) -> None:
    with ShardReader(render(tmp_path / "shard.h5", range(1))) as reader:
        generator = json.loads(reader.provenance["generator"])
        assert reader.provenance["split"] == "train"
        assert "CC BY 2.0" in reader.provenance["licence"]
    assert SceneSettings(**{**generator["settings"], "objects": (1, 2)}) == TINY
    assert generator["seed"] == 5
    assert generator["indices"] == [0, 1, 1]
    assert generator["packages"]["mujoco"]


def test_progress_goes_to_stderr(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    render_shard(tmp_path / "shard.h5", TINY, "train", range(1), seed=5, points=16, progress=True)
    written = capfd.readouterr()
    assert written.out == ""
    assert "rendering train" in written.err
