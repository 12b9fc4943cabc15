"""The last two states of a training on disk: what is damaged, full, read-only or another training's."""

import os
import resource
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from cotracker_pipeline.errors import UserError
from cotracker_pipeline.files import write_text
from cotracker_pipeline.training.state import discard_state, load_state, save_state


def state(step: int, name: str = "a") -> dict:
    return {"fingerprint": name, "step": step, "weights": torch.full((5000,), float(step))}


def files(folder: Path) -> list[Path]:
    """The newest first."""
    return sorted(folder.iterdir())[::-1]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With the states of the steps 2 and 3, after one of step 1."""
    for step in (1, 2, 3):
        save_state(tmp_path / "state", state(step))
    return tmp_path / "state"


def test_the_last_two_are_kept_and_the_last_is_loaded(folder):
    assert len(files(folder)) == 2
    found = load_state(folder, "a")
    assert found["step"] == 3
    assert torch.equal(found["weights"], state(3)["weights"])
    files(folder)[0].unlink()
    assert load_state(folder, "a")["step"] == 2


def test_a_training_that_ended_leaves_nothing(folder):
    (folder / "partial.pt").touch()
    discard_state(folder)
    assert not folder.exists()
    assert load_state(folder, "a") is None


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:500])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


def make_unreadable(path: Path) -> None:
    # root may read what it has no permission for
    path.unlink()
    path.mkdir()


DAMAGES = [cut, empty, flip_a_bit, make_unreadable]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_state_gives_way_to_the_one_before(damage: Callable, folder, capsys):
    damage(files(folder)[0])
    assert load_state(folder, "a")["step"] == 2
    warning = capsys.readouterr().err
    assert warning.count("\n") == 1
    assert "is damaged; the state before it is used" in warning
    # and the training goes on
    save_state(folder, state(4))
    assert load_state(folder, "a")["step"] == 4


def test_when_all_are_damaged_the_folder_is_named(folder):
    for path in files(folder):
        cut(path)
    with pytest.raises(UserError, match=r"state: every state in it is damaged; delete the folder"):
        load_state(folder, "a")


def test_a_state_of_another_training_is_not_continued_nor_does_it_outlive_a_new_one(folder, capsys):
    assert load_state(folder, "b") is None
    assert "state of another configuration; this training starts anew" in capsys.readouterr().err
    save_state(folder, state(1, "b"))
    assert load_state(folder, "b")["step"] == 1
    # back to the configuration before: its last state is still there
    assert load_state(folder, "a")["step"] == 3


def test_a_program_in_place_of_a_state_is_not_run(folder):
    content = Path(__file__).with_name("never-made")
    path = files(folder)[0]
    torch.save({"fingerprint": "a", "step": Touch(content)}, path)
    renamed = path.with_name(f"state-000009-{digest(path)}.pt")
    path.rename(renamed)
    assert load_state(folder, "a")["step"] == 2
    assert not content.exists()


class Touch:
    """Unpickled by what allows everything, it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def digest(path: Path) -> str:
    done = subprocess.run(["sha256sum", path], capture_output=True, text=True, check=True)
    return done.stdout.split()[0]


def test_numbers_not_times_say_which_is_the_last(folder):
    os.utime(files(folder)[0], (1, 1))
    assert load_state(folder, "a")["step"] == 3


@contextmanager
def small_files(most: int) -> Iterator[None]:
    """No file grows beyond ``most`` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("most", [0, 100, 1000, 20_000])
def test_what_cannot_be_written_to_its_end_loses_nothing(most, folder):
    before = {path: path.read_bytes() for path in files(folder)}
    with small_files(most), pytest.raises(UserError) as caught:
        save_state(folder, state(4))
    assert str(caught.value).startswith(f"{folder}/partial.pt: cannot be written (File too large); ")
    assert {path: path.read_bytes() for path in files(folder)} == before
    save_state(folder, state(4))
    assert load_state(folder, "a")["step"] == 4


@contextmanager
def mounted(folder: Path, *options: str) -> Iterator[None]:
    """A file system in memory there; the test is skipped where mounting is not allowed."""
    folder.mkdir(exist_ok=True)
    if subprocess.run(["mount", "-t", "tmpfs", *options, "none", folder], capture_output=True).returncode:
        pytest.skip("mounting a full disk takes root")
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


def test_a_full_disk_is_one_sentence_and_the_training_goes_on_when_there_is_room(tmp_path):
    disk = tmp_path / "disk"
    with mounted(disk, "-o", "size=100k"):
        for step in (1, 2):
            save_state(disk / "state", state(step))
        (disk / "other").write_bytes(bytes(40_000))
        with pytest.raises(UserError, match=r"partial\.pt: cannot be written \(No space left on device\)"):
            save_state(disk / "state", state(3))
        with pytest.raises(UserError, match=r"a\.txt: cannot be written \(No space left on device\)"):
            write_text(disk / "a.txt", "much" * 30_000)
        assert load_state(disk / "state", "a")["step"] == 2
        (disk / "other").unlink()
        save_state(disk / "state", state(3))
        assert load_state(disk / "state", "a")["step"] == 3


def test_a_read_only_disk_is_one_sentence_and_its_state_is_read(tmp_path):
    disk = tmp_path / "disk"
    with mounted(disk):
        save_state(disk / "state", state(1))
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        for target in (disk / "state", disk / "new/state"):
            with pytest.raises(UserError, match=r"partial\.pt: cannot be written \(Read-only file system\)"):
                save_state(target, state(2))
        assert load_state(disk / "state", "a")["step"] == 1


def test_a_file_where_the_folder_should_be_is_one_sentence(tmp_path):
    (tmp_path / "state").touch()
    with pytest.raises(UserError, match=r"partial\.pt: cannot be written \((File exists|Not a directory)\)"):
        save_state(tmp_path / "state", state(1))
