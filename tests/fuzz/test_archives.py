"""Damaged archives: a sentence, or the file that was packed."""

import io
import zipfile
from pathlib import Path

import pytest

from cotracker_pipeline.data.archives import extract
from cotracker_pipeline.errors import UserError

CONTENT = bytes(range(256))


def packed(compression: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        archive.writestr("folder/good.pkl", CONTENT)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
@pytest.mark.parametrize("bits", [0x01, 0x06, 0x80])
def test_every_byte_of_an_archive_is_damaged(bits: int, compression: int, tmp_path: Path) -> None:
    content = packed(compression)
    for position in range(len(content)):
        flipped = content[:position] + bytes([content[position] ^ bits]) + content[position + 1 :]
        (tmp_path / "a.zip").write_bytes(flipped)
        folder = tmp_path / f"out{position}"
        try:
            extract(tmp_path / "a.zip", "*.pkl", folder)
        except UserError:
            assert list(folder.rglob("*")) == []
        else:
            assert [path.read_bytes() for path in folder.iterdir()] == [CONTENT]
