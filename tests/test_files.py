"""Writing, and holding what only one process may write."""

import errno
import fcntl
from pathlib import Path

import pytest
from safetensors import SafetensorError

from cotracker_pipeline.errors import UserError
from cotracker_pipeline.files import atomic_path, claim


def test_what_is_claimed_is_free_again_when_it_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "new/lock"
    held = claim(path, "another")
    with pytest.raises(UserError, match="lock: another is still running here; wait for it, or end it"):
        claim(path, "another")
    held.close()
    claim(path, "another").close()


def test_where_there_are_no_locks_all_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    claim(tmp_path / "lock", "another").close()


@pytest.mark.parametrize(
    "fault", [OSError(errno.ENOSPC, "No space left on device"), SafetensorError("I/O error (os error 28)")]
)
def test_a_full_disk_is_told_whoever_says_so(fault: Exception, tmp_path: Path) -> None:
    with (
        pytest.raises(UserError, match=r"a\.txt: cannot be written \(No space left on device\); make room"),
        atomic_path(tmp_path / "a.txt"),
    ):
        raise fault
    assert not list(tmp_path.iterdir())


def test_what_went_wrong_with_another_file_is_not_said_of_this_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), atomic_path(tmp_path / "a.txt"):
        (tmp_path / "b.txt").read_text()
