"""Downloading from a local server that may be slow, broken or hostile."""

import hashlib
import io
import json
import os
import stat
import threading
import urllib.request
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

from cotracker_pipeline.data.archives import extract
from cotracker_pipeline.data.downloading import fetch, https_opener
from cotracker_pipeline.data.published import PUBLISHED, Published
from cotracker_pipeline.download import download
from cotracker_pipeline.errors import UserError

CONTENT = bytes(range(256)) * 40_000


class Server:
    """What it sends, how much before it hangs up, and the ranges that it was asked for."""

    def __init__(self) -> None:
        self.content = CONTENT
        self.version = '"one"'
        self.most = len(CONTENT) * 2
        self.ranges: list[str | None] = []
        self.redirect: str | None = None


@pytest.fixture
def server() -> Iterator[tuple[Server, str]]:
    """A server on this machine, and its address."""
    facts = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            facts.ranges.append(wanted)
            if facts.redirect:
                self.send_response(302)
                self.send_header("Location", facts.redirect)
                self.end_headers()
                return
            start = 0
            if wanted and self.headers.get("If-Range") == facts.version:
                start = int(wanted.removeprefix("bytes=").removesuffix("-"))
                if start >= len(facts.content):
                    self.send_error(416)
                    return
                self.send_response(206)
                last = len(facts.content) - 1
                self.send_header("Content-Range", f"bytes {start}-{last}/{len(facts.content)}")
            else:
                self.send_response(200)
            self.send_header("Content-Length", str(len(facts.content) - start))
            self.send_header("ETag", facts.version)
            self.end_headers()
            self.wfile.write(facts.content[start : start + facts.most])

        def log_message(self, *_: object) -> None:
            pass

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=running.serve_forever)
    thread.start()
    yield facts, f"http://127.0.0.1:{running.server_port}/set.zip"
    running.shutdown()
    thread.join()
    running.server_close()


@pytest.fixture
def opener() -> urllib.request.OpenerDirector:
    """Opens http addresses too."""
    opener = https_opener()
    opener.add_handler(urllib.request.HTTPHandler())
    return opener


def test_a_file_comes_whole(
    tmp_path: Path, server: tuple[Server, str], opener: urllib.request.OpenerDirector
) -> None:
    found = fetch(server[1], tmp_path / "new" / "set.zip", opener=opener)
    assert found == hashlib.sha256(CONTENT).hexdigest()
    assert (tmp_path / "new" / "set.zip").read_bytes() == CONTENT
    assert os.listdir(tmp_path / "new") == ["set.zip"]


def test_an_interrupted_download_continues(
    tmp_path: Path, server: tuple[Server, str], opener: urllib.request.OpenerDirector
) -> None:
    facts, url = server
    facts.most = 3_000_000
    for done in (3_000_000, 6_000_000, 9_000_000):
        with pytest.raises(UserError, match=rf"ended after {done} of 10240000 bytes; run it again"):
            fetch(url, tmp_path / "set.zip", opener=opener)
        assert not (tmp_path / "set.zip").exists()
    fetch(url, tmp_path / "set.zip", opener=opener)
    assert (tmp_path / "set.zip").read_bytes() == CONTENT
    assert facts.ranges == [None, "bytes=3000000-", "bytes=6000000-", "bytes=9000000-"]
    assert os.listdir(tmp_path) == ["set.zip"]


def test_another_file_on_the_server_is_not_joined_to_the_first(
    tmp_path: Path, server: tuple[Server, str], opener: urllib.request.OpenerDirector
) -> None:
    facts, url = server
    facts.most = 3_000_000
    with pytest.raises(UserError):
        fetch(url, tmp_path / "set.zip", opener=opener)
    facts.content, facts.version, facts.most = CONTENT[::-1], '"two"', len(CONTENT)
    fetch(url, tmp_path / "set.zip", opener=opener)
    assert (tmp_path / "set.zip").read_bytes() == CONTENT[::-1]


def test_killed_after_the_last_byte(
    tmp_path: Path, server: tuple[Server, str], opener: urllib.request.OpenerDirector
) -> None:
    (tmp_path / ".set.zip.partial").write_bytes(CONTENT)
    (tmp_path / ".set.zip.partial.version").write_text('"one"')
    fetch(server[1], tmp_path / "set.zip", opener=opener)
    assert (tmp_path / "set.zip").read_bytes() == CONTENT


def test_another_checksum_is_refused(
    tmp_path: Path, server: tuple[Server, str], opener: urllib.request.OpenerDirector
) -> None:
    with pytest.raises(UserError, match="but its owner states 00"):
        fetch(server[1], tmp_path / "set.zip", "00", opener)
    assert not (tmp_path / "set.zip").exists()
    assert not (tmp_path / ".set.zip.partial").exists()


@pytest.mark.parametrize(
    "target", ["http://127.0.0.1:1/a.zip", "file:///etc/passwd", "ftp://127.0.0.1/a.zip"]
)
def test_only_https_is_opened(target: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="unknown url type"):
        fetch(target, tmp_path / "set.zip")
    assert os.listdir(tmp_path) == []


def test_a_server_may_not_lead_to_a_file(
    tmp_path: Path, server: tuple[Server, str], opener: urllib.request.OpenerDirector
) -> None:
    server[0].redirect = "file:///etc/passwd"
    with pytest.raises(UserError, match="run it again"):
        fetch(server[1], tmp_path / "set.zip", opener=opener)
    assert os.listdir(tmp_path) == []


def test_a_server_that_is_not_there_is_named(tmp_path: Path, opener: urllib.request.OpenerDirector) -> None:
    with pytest.raises(UserError, match=r"http://127\.0\.0\.1:1/set\.zip: .*refused; run it again"):
        fetch("http://127.0.0.1:1/set.zip", tmp_path / "set.zip", opener=opener)


def test_what_is_published_has_a_safe_address() -> None:
    assert all(one.url.startswith("https://") and one.url.endswith(".zip") for one in PUBLISHED.values())


def zipped(*members: tuple[str | zipfile.ZipInfo, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return content.getvalue()


def test_a_data_set_comes_with_a_record(
    tmp_path: Path, server: tuple[Server, str], opener: urllib.request.OpenerDirector
) -> None:
    facts, url = server
    facts.content = zipped(
        ("set/", b""), ("set/README.md", b"read"), ("set/b.pkl", b"2"), ("set/a.pkl", b"1")
    )
    download(Published(url, "*.pkl"), tmp_path / "set", opener)
    record = json.loads((tmp_path / "set/download.json").read_text())
    assert sorted(os.listdir(tmp_path / "set")) == ["a.pkl", "b.pkl", "download.json"]
    assert record == {
        "url": url,
        "sha256": hashlib.sha256(facts.content).hexdigest(),
        "bytes": len(facts.content),
        "files": {
            f"{name}.pkl": hashlib.sha256(data).hexdigest() for name, data in (("a", b"1"), ("b", b"2"))
        },
    }


def link(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


@pytest.mark.parametrize(
    ("member", "reason"),
    [
        ("../a.pkl", "leads out of it"),
        ("set/../../b.txt", "leads out of it"),
        ("/etc/a.pkl", "leads out of it"),
        ("C:\\a.pkl", "leads out of it"),
        ("..\\..\\a.pkl", "leads out of it"),
        (link("a.pkl"), "is no plain file"),
        (link("elsewhere"), "is no plain file"),
        ("other/good.pkl", "holds good.pkl twice"),
    ],
    ids=str,
)
def test_an_archive_may_not_lead_out_of_its_folder(
    member: str | zipfile.ZipInfo, reason: str, tmp_path: Path
) -> None:
    archive = tmp_path / "set.zip"
    archive.write_bytes(zipped(("set/good.pkl", b"1"), (member, b"/etc/passwd")))
    with pytest.raises(UserError, match=rf"set\.zip: .*{reason}; it is damaged"):
        extract(archive, "*.pkl", tmp_path / "a" / "b")
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["set.zip"]


def test_of_a_damaged_archive_nothing_is_kept(tmp_path: Path) -> None:
    archive = tmp_path / "set.zip"
    content = bytearray(zipped(("a.pkl", os.urandom(1000)), ("b.pkl", os.urandom(1000))))
    content[1400] ^= 1
    archive.write_bytes(content)
    with pytest.raises(UserError, match=r"set\.zip: cannot be unpacked"):
        extract(archive, "*.pkl", tmp_path)
    assert os.listdir(tmp_path) == ["set.zip"]


@pytest.mark.parametrize("length", [0, 10, 500, 1100])
def test_a_cut_archive_is_refused(length: int, tmp_path: Path) -> None:
    archive = tmp_path / "set.zip"
    archive.write_bytes(zipped(("a.pkl", os.urandom(1000)))[:length])
    with pytest.raises(UserError, match=r"set\.zip: cannot be unpacked"):
        extract(archive, "*.pkl", tmp_path)


def test_an_archive_larger_than_the_disk_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = tmp_path / "set.zip"
    size = (1000).to_bytes(4, "little")
    # in both places that state it
    archive.write_bytes(zipped(("a.pkl", b"1" * 1000)).replace(size, (0xFFFFFFF0).to_bytes(4, "little")))
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=10**9))
    with pytest.raises(UserError, match="needs 4294967280 bytes"):
        extract(archive, "*.pkl", tmp_path)


def test_without_what_is_wanted_it_is_refused(tmp_path: Path) -> None:
    archive = tmp_path / "set.zip"
    archive.write_bytes(zipped(("a.txt", b"1")))
    with pytest.raises(UserError, match=r"holds no \*\.pkl; it is damaged or not the published file"):
        extract(archive, "*.pkl", tmp_path)
