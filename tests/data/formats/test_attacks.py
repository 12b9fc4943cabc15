"""Hostile files: refused in one sentence; nothing runs, is imported or written, no memory is filled."""

import gzip
import io
import json
import pickle
import sys
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from attacks import CALLS, CANARY, PICKLES
from miniatures import INPUTS, read_all

from cotracker_pipeline.errors import UserError

MAX_MEMORY = 50_000_000

Refused = Callable[[str, Path], str]


@pytest.fixture
def refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Refused:
    """``refused(format, input)`` is the sentence; it also checks that nothing else came of reading."""
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)

    def read(name: str, path: Path) -> str:
        modules, files = set(sys.modules), sorted(tmp_path.rglob("*"))
        with pytest.raises(UserError) as caught:
            read_all(name, path)
        assert sorted(tmp_path.rglob("*")) == files
        assert not {"antigravity", "this"} & (set(sys.modules) - modules)
        sentence = str(caught.value)
        assert "\n" not in sentence
        assert len(sentence) < 600
        assert "; " in sentence, "it says no mend"
        return sentence

    return read


@pytest.mark.parametrize("attack", PICKLES)
def test_pickles(attack: str, tmp_path: Path, refused: Refused) -> None:
    path = tmp_path / "tapvid_davis.pkl"
    path.write_bytes(PICKLES[attack])
    tracemalloc.start()
    try:
        sentence = refused("tapvid-davis", path)
        assert tracemalloc.get_traced_memory()[1] < MAX_MEMORY
    finally:
        tracemalloc.stop()
    assert sentence.startswith(str(path))


def test_the_attacks_are_dangerous(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The canary is made where a pickle is read carelessly, so that its absence means something."""
    monkeypatch.chdir(tmp_path)
    for attack in ("os.system, protocol 2", "eval, protocol 4", "numpy.memmap, protocol 0", "INST"):
        (tmp_path / CANARY).unlink(missing_ok=True)
        pickle.loads(PICKLES[attack])
        assert (tmp_path / CANARY).exists(), attack


@pytest.mark.parametrize("attack", CALLS)
def test_objects_in_npy_files(attack: str, tmp_path: Path, refused: Refused) -> None:
    folder = tmp_path / "kubric/0000"
    (folder / "frames").mkdir(parents=True)
    (folder / "frames/000.png").write_bytes((INPUTS["kubric"] / "0000/frames/000.png").read_bytes())
    wrapped = {"coords": CALLS[attack], "visibility": CALLS[attack]}
    np.save(folder / "0000.npy", wrapped, allow_pickle=True)  # type: ignore[arg-type]
    assert "0000.npy: " in refused("kubric", tmp_path / "kubric")


@pytest.mark.parametrize("attack", ["os.system", "eval", "numpy.load", "getattr", "torch.load"])
def test_torch_files(attack: str, dynamic_replica: Path, refused: Refused) -> None:
    path = sorted(dynamic_replica.rglob("*.pth"))[0]
    torch.save({"img": CALLS[attack]}, path)
    assert "refused, it holds more than tensors" in refused("dynamic-replica", dynamic_replica)


def test_objects_in_npz_files(own_frames: Path, refused: Refused) -> None:
    (own_frames / "tracks.csv").unlink()
    np.savez(own_frames / "tracks.npz", tracks=np.array([CALLS["os.system"]], dtype=object))
    assert "tracks holds Python objects" in refused("frames", own_frames)


@pytest.mark.parametrize("declared", [(1 << 45,), (1 << 62, 1 << 62), (1 << 34, 24, 2)])
def test_npz_that_states_more_than_it_holds(
    declared: tuple[int, ...], own_frames: Path, refused: Refused
) -> None:
    (own_frames / "tracks.csv").unlink()
    member = io.BytesIO()
    header = {"descr": "<f4", "fortran_order": False, "shape": declared}
    np.lib.format.write_array_header_1_0(member, header)
    with zipfile.ZipFile(own_frames / "tracks.npz", "w") as archive:
        archive.writestr("tracks.npy", member.getvalue())
    tracemalloc.start()
    assert "for which the file has no room" in refused("frames", own_frames)
    assert tracemalloc.get_traced_memory()[1] < MAX_MEMORY
    tracemalloc.stop()


@pytest.mark.parametrize(
    "header",
    [
        b"{'descr': [('a', '|O')], 'fortran_order': False, 'shape': (1,)}",
        b"{'descr': '<M8[s]', 'fortran_order': False, 'shape': (1,)}",
        b"{'descr': '|V8', 'fortran_order': False, 'shape': (1,)}",
        b"{'descr': '|S0', 'fortran_order': False, 'shape': (99999999999999,)}",
        b"{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}",
        b"__import__('os').system('touch canary')",
        b"{'descr': '<f4'}",
        b"(" * 200,
        b"\xff",
    ],
)
def test_npy_headers(header: bytes, tmp_path: Path, refused: Refused) -> None:
    folder = tmp_path / "kubric/0000"
    (folder / "frames").mkdir(parents=True)
    (folder / "frames/000.png").write_bytes((INPUTS["kubric"] / "0000/frames/000.png").read_bytes())
    start = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little")
    (folder / "0000.npy").write_bytes(start + header + bytes(64))
    assert "0000.npy: " in refused("kubric", tmp_path / "kubric")


@pytest.mark.parametrize("link", ["0000.npy", "frames/003.png", "frames"])
def test_links_out_of_the_data_set(link: str, tmp_path: Path, refused: Refused) -> None:
    folder = tmp_path / "kubric/0000"
    (folder / "frames").mkdir(parents=True)
    source = INPUTS["kubric"] / "0000"
    for path in [source / "0000.npy", *(source / "frames").iterdir()]:
        (folder / path.relative_to(source)).write_bytes(path.read_bytes())
    target = folder / link
    outside = target.rename(tmp_path / "outside")
    target.symlink_to(outside)
    assert "leads out of" in refused("kubric", tmp_path / "kubric")


@pytest.mark.parametrize("path", ["../../secret.pth", "/etc/passwd", "a/../../../secret.pth"])
def test_paths_in_annotations(path: str, tmp_path: Path, refused: Refused) -> None:
    root = tmp_path / "valid"
    root.mkdir()
    frame = {"sequence_name": "a", "frame_number": 0, "camera_name": "left", "trajectories": {"path": path}}
    with gzip.open(root / "frame_annotations_valid.jgz", "wt") as file:
        json.dump([frame], file)
    assert "leads out of" in refused("dynamic-replica", root)
