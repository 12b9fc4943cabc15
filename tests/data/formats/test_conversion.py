"""Converting to shards: shares, interruptions, checksums, damage."""

import hashlib
import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import get_args

import h5py
import numpy as np
import pytest
from miniatures import INPUTS, read_all

from cotracker_pipeline.config import Dataset
from cotracker_pipeline.data import conversion
from cotracker_pipeline.data.conversion import convert_shard
from cotracker_pipeline.data.formats import FORMATS
from cotracker_pipeline.data.store import ShardReader
from cotracker_pipeline.errors import UserError

ROOT = Path(__file__).parents[3]


@pytest.fixture
def kubric(tmp_path: Path) -> Path:
    """Seven short sequences."""
    for number in range(7):
        source, target = INPUTS["kubric"] / "0000", tmp_path / f"kubric/s{number}"
        (target / "frames").mkdir(parents=True)
        labels = np.load(source / "0000.npy", allow_pickle=True).item()
        short = {key: labels[key][: number + 8, :3] for key in ("coords", "visibility")}
        np.save(target / f"{target.name}.npy", short, allow_pickle=True)  # type: ignore[arg-type]
        for frame in range(3):
            shutil.copy(source / f"frames/{frame:03d}.png", target / "frames")
    return tmp_path / "kubric"


@pytest.fixture
def read_names(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the sequences that are read from now on."""
    names: list[str] = []

    def counting(entry):
        def read():
            names.append(entry.name)
            return entry.read()

        return replace(entry, read=read)

    for name, one in FORMATS.items():
        counted = replace(one, entries=lambda unit, one=one: [counting(entry) for entry in one.entries(unit)])
        monkeypatch.setitem(conversion.FORMATS, name, counted)
    return names


@pytest.mark.parametrize("name", INPUTS)
def test_a_shard_holds_what_is_read(name: str, tmp_path: Path) -> None:
    convert_shard(tmp_path / "all.h5", name, INPUTS[name], codec="raw", workers=2)
    expected = read_all(name, INPUTS[name])
    with ShardReader(tmp_path / "all.h5") as reader:
        assert reader.names == sorted(expected)
        assert reader.provenance["source_format"] == name
        assert reader.provenance["licence"] == FORMATS[name].licence
        assert reader.provenance["source_name"] == INPUTS[name].name
        for index, key in enumerate(reader.names):
            converted = reader.sequence(index)
            for part in ("video", "tracks", "visible", "valid"):
                np.testing.assert_array_equal(getattr(converted, part), getattr(expected[key], part))
            assert list(converted.extra) == sorted(expected[key].extra)
    assert list(tmp_path.iterdir()) == [tmp_path / "all.h5"]


def test_checksums_are_those_of_sha256sum(tmp_path: Path) -> None:
    convert_shard(tmp_path / "davis.h5", "tapvid-davis", INPUTS["tapvid-davis"])
    convert_shard(tmp_path / "kubric.h5", "kubric", INPUTS["kubric"])
    with ShardReader(tmp_path / "davis.h5") as reader:
        content = (INPUTS["tapvid-davis"] / "tapvid_davis.pkl").read_bytes()
        assert reader.attributes(0)["source_sha256"] == hashlib.sha256(content).hexdigest()
    with ShardReader(tmp_path / "kubric.h5") as reader:
        files = ["0000/0000.npy", *(f"0000/frames/{number:03d}.png" for number in range(24))]
        printed = subprocess.run(
            ["sha256sum", *files], cwd=INPUTS["kubric"], capture_output=True, check=True
        ).stdout
        assert reader.attributes(0)["source_sha256"] == hashlib.sha256(printed).hexdigest()
        lines = "".join(
            f"{name}  {reader.attributes(index)['source_sha256']}\n"
            for index, name in enumerate(reader.names)
        )
        assert reader.provenance["source_sha256"] == hashlib.sha256(lines.encode()).hexdigest()


def test_progress_goes_to_stderr(kubric: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    convert_shard(tmp_path / "all.h5", "kubric", kubric, progress=True)
    written = capfd.readouterr()
    assert written.out == ""
    assert "converting kubric" in written.err
    assert "7/7" in written.err


@pytest.mark.parametrize("shards", [1, 2, 3, 7])
def test_shares_hold_each_sequence_once(shards: int, kubric: Path, tmp_path: Path) -> None:
    names = []
    for shard in range(shards):
        convert_shard(tmp_path / f"{shard}.h5", "kubric", kubric, shard, shards)
        with ShardReader(tmp_path / f"{shard}.h5") as reader:
            names += reader.names
    assert names == [f"s{number}" for number in range(7)]


@pytest.mark.parametrize("name", ["tapvid-davis", "robotap", "tapvid-rgb-stacking"])
def test_shares_of_pickles(name: str, tmp_path: Path) -> None:
    names = []
    for shard in range(2):
        convert_shard(tmp_path / f"{shard}.h5", name, INPUTS[name], shard, 2)
        with ShardReader(tmp_path / f"{shard}.h5") as reader:
            assert len(reader) == 1
            names += reader.names
    assert names == sorted(read_all(name, INPUTS[name]))


def test_more_shares_than_sequences(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no sequence is left for shard 0 of 5; lower"):
        convert_shard(tmp_path / "0.h5", "tapvid-davis", INPUTS["tapvid-davis"], 0, 5)
    assert not (tmp_path / "0.h5").exists()


@pytest.mark.parametrize("workers", [1, 3])
def test_an_interrupted_conversion_continues(
    workers: int, kubric: Path, tmp_path: Path, read_names: list[str]
) -> None:
    labels = kubric / "s5/s5.npy"
    content = labels.read_bytes()
    labels.write_bytes(content[:-20])
    with pytest.raises(UserError, match=r"s5\.npy: "):
        convert_shard(tmp_path / "all.h5", "kubric", kubric, workers=workers)
    assert not (tmp_path / "all.h5").exists()
    finished = set(read_names) - {"s5"}
    assert finished >= {"s0", "s1"}
    labels.write_bytes(content)
    read_names.clear()
    convert_shard(tmp_path / "all.h5", "kubric", kubric, workers=workers)
    assert "s5" in read_names
    assert not {"s0", "s1"} & set(read_names)
    convert_shard(tmp_path / "whole.h5", "kubric", kubric)
    assert (tmp_path / "all.h5").read_bytes() == (tmp_path / "whole.h5").read_bytes()


def interrupted(kubric: Path, shard: Path) -> None:
    """Convert, and fail at the last sequence, which is then mended."""
    broken = kubric / "s6/frames/002.png"
    content = broken.read_bytes()
    broken.write_bytes(b"")
    with pytest.raises(UserError, match=r"002\.png"):
        convert_shard(shard, "kubric", kubric)
    broken.write_bytes(content)


def test_a_source_that_changed_is_read_again(kubric: Path, tmp_path: Path, read_names: list[str]) -> None:
    interrupted(kubric, tmp_path / "all.h5")
    os.utime(kubric / "s0/frames/000.png", (1, 1))
    read_names.clear()
    convert_shard(tmp_path / "all.h5", "kubric", kubric)
    assert sorted(read_names) == ["s0", "s6"]


def test_a_damaged_part_is_made_again(kubric: Path, tmp_path: Path, read_names: list[str]) -> None:
    interrupted(kubric, tmp_path / "all.h5")
    part = sorted((tmp_path / ".all.h5.parts").glob("*.h5"))[0]
    part.write_bytes(part.read_bytes()[: part.stat().st_size // 2])
    read_names.clear()
    convert_shard(tmp_path / "all.h5", "kubric", kubric)
    assert len(read_names) == 2
    with ShardReader(tmp_path / "all.h5") as reader:
        assert len(reader) == 7


def test_a_pickle_that_is_done_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = shutil.copytree(INPUTS["robotap"], tmp_path / "robotap")
    second = source / "robotap_split1.pkl"
    content = second.read_bytes()
    second.write_bytes(content[:1000])
    with pytest.raises(UserError, match="robotap_split1"):
        convert_shard(tmp_path / "all.h5", "robotap", source)
    second.write_bytes(content)
    loaded = []
    robotap = FORMATS["robotap"]
    counted = replace(robotap, entries=lambda unit: loaded.append(unit.name) or robotap.entries(unit))
    monkeypatch.setitem(conversion.FORMATS, "robotap", counted)
    convert_shard(tmp_path / "all.h5", "robotap", source)
    assert loaded == ["robotap_split1.pkl"]
    with ShardReader(tmp_path / "all.h5") as reader:
        assert reader.names == ["r0", "r1"]


def test_one_name_twice(tmp_path: Path) -> None:
    source = shutil.copytree(INPUTS["robotap"], tmp_path / "robotap")
    videos = pickle.loads((source / "robotap_split0.pkl").read_bytes())
    (source / "robotap_split1.pkl").write_bytes(pickle.dumps(videos))
    with pytest.raises(UserError, match="'r0' occurs twice"):
        convert_shard(tmp_path / "all.h5", "robotap", source)
    assert not (tmp_path / "all.h5").exists()


def convert(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "cotracker_pipeline.convert", *map(str, arguments)]


@pytest.mark.parametrize("delay", [0.0, 0.1, 0.3])
def test_killed_at_any_moment(delay: float, kubric: Path, tmp_path: Path) -> None:
    """Whenever the process is killed, no half shard is there, and the next call ends as if nothing was."""
    output = tmp_path / "all.h5"
    command = convert("--format", "kubric", "--input", kubric, "--output", output, "--codec", "raw")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    while process.poll() is None and not (tmp_path / ".all.h5.parts").exists():
        time.sleep(0.005)
    time.sleep(delay)
    process.send_signal(signal.SIGKILL)
    process.wait()
    if output.exists():
        with h5py.File(output) as file:
            assert len(file["seq"]) == 7
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    convert_shard(tmp_path / "whole.h5", "kubric", kubric, codec="raw")
    assert output.read_bytes() == (tmp_path / "whole.h5").read_bytes()
    assert not (tmp_path / ".all.h5.parts").exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--shard", "2", "--shards", "2"], "give a shard from 0 to shards - 1"),
        (["--shards", "0"], "give a shard from 0 to shards - 1"),
        (["--workers", "0"], "give at least 1"),
        (["--input", "nowhere"], "nowhere: no such file or folder; give"),
    ],
)
def test_mistakes_are_one_sentence(arguments: list[str], sentence: str, tmp_path: Path) -> None:
    common = ["--format", "kubric", "--input", INPUTS["kubric"], "--output", tmp_path / "a/all.h5"]
    done = subprocess.run(
        convert(*common, *arguments),
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert re.search(r"^error: ", done.stderr, re.MULTILINE)
    assert sentence in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_configuration_knows_every_format() -> None:
    assert set(get_args(Dataset.model_fields["format"].annotation)) == set(FORMATS)
