"""Damaged files of every format: a sentence, or a sequence that the store takes."""

from pathlib import Path

import pytest
import tiny_inputs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cotracker_pipeline.data.formats import FORMATS

EXAMPLES = 80

#: What may be missing: a video of one's own may come without tracks.
OPTIONAL = {"frames": "tracks.csv"}


@st.composite
def damage(draw: st.DrawFn) -> tuple[str, float, bytes]:
    """A kind of damage, its place as a share of the file, and bytes for it."""
    kind = draw(st.sampled_from(["flip", "truncate", "insert", "overwrite", "delete", "double"]))
    return kind, draw(st.floats(0, 1, exclude_max=True)), draw(st.binary(min_size=1, max_size=8))


def damaged(content: bytes, kind: str, share: float, extra: bytes) -> bytes:
    at = int(share * len(content))
    before, after = content[:at], content[at:]
    if kind == "flip":
        return before + bytes([content[at] ^ (1 << extra[0] % 8)]) + after[1:]
    return {
        "truncate": before,
        "insert": before + extra + after,
        "overwrite": before + extra + after[len(extra) :],
        "delete": before + after[len(extra) :],
        "double": before + after + after,
    }[kind]


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_whole_inputs_are_read(name: str, tmp_path: Path) -> None:
    tiny_inputs.make(name, tmp_path / "input")
    assert tiny_inputs.read(name, tmp_path / "input")


@pytest.mark.parametrize("name", sorted(FORMATS))
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_files(name: str, tmp_path: Path, data: st.DataObject) -> None:
    files = tiny_inputs.make(name, tmp_path / "input")
    path = data.draw(
        st.sampled_from(files).map(lambda path: path.relative_to(tmp_path / "input")), label="file"
    )
    target = tmp_path / "input" / path
    content = target.read_bytes()
    for kind, share, extra in data.draw(st.lists(damage(), min_size=1, max_size=3), label="damage"):
        content = damaged(content, kind, share, extra) if content else content
    target.write_bytes(content)
    tiny_inputs.read(name, tmp_path / "input")


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_empty_and_missing_files(name: str, tmp_path: Path) -> None:
    count = len(tiny_inputs.make(name, tmp_path / "input"))
    for number in range(count):
        path = tiny_inputs.make(name, tmp_path / "input")[number]
        path.write_bytes(b"")
        assert tiny_inputs.read(name, tmp_path / "input") is None, path
        path.unlink()
        refused = tiny_inputs.read(name, tmp_path / "input") is None
        assert refused == (path.name != OPTIONAL.get(name)), path
