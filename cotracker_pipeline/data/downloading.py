"""Downloading one file over HTTPS, interrupted or not."""

import http.client
import os
import urllib.error
import urllib.request
from pathlib import Path
from urllib.response import addinfourl

from tqdm import tqdm

from cotracker_pipeline.data.checksums import digest_of_file
from cotracker_pipeline.errors import UserError
from cotracker_pipeline.files import write_text

BLOCK = 1 << 20
TIMEOUT_SECONDS = 60


def https_opener() -> urllib.request.OpenerDirector:
    """Opens https addresses and no others, wherever a server leads on to."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    return opener


def fetch(
    url: str,
    target: Path,
    sha256: str | None = None,
    opener: urllib.request.OpenerDirector | None = None,
    progress: bool = False,
) -> str:
    """Download ``url`` to ``target``, which appears when it is whole, and return its SHA-256.

    An interrupted download continues where it stopped if the server still has the same file.

    sha256: what its owner states, if anything; opener: ``None`` opens https alone; progress: show a bar.
    Raises ``UserError`` when the server cannot be reached, the connection ends too early, or the checksum is
    another.
    """
    partial = target.with_name(f".{target.name}.partial")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _fetch(url, partial, opener or https_opener(), progress)
    except (OSError, http.client.HTTPException) as error:
        reason = str(getattr(error, "reason", error))[:120]
        raise UserError(f"{url}: {reason}; run it again to continue") from error
    found = digest_of_file(partial)
    if sha256 not in (None, found):
        partial.unlink()
        raise UserError(f"{url}: its SHA-256 is {found}, but its owner states {sha256}; do not use it")
    os.replace(partial, target)
    _version_file(partial).unlink(missing_ok=True)
    return found


def _fetch(url: str, partial: Path, opener: urllib.request.OpenerDirector, progress: bool) -> None:
    with _open(url, partial, opener) as response:
        start = _start(response)
        version = response.headers.get("ETag") or response.headers.get("Last-Modified") or ""
        if start == 0:
            # first: what is continued must be what was begun
            partial.unlink(missing_ok=True)
            write_text(_version_file(partial), version)
        length = response.headers.get("Content-Length")
        total = None if length is None else start + int(length)
        with (
            open(partial, "r+b" if start else "wb") as file,
            tqdm(total=total, initial=start, unit="B", unit_scale=True, disable=not progress) as bar,
        ):
            file.seek(start)
            while block := response.read(BLOCK):
                file.write(block)
                bar.update(len(block))
            done = file.tell()
    if total is not None and done != total:
        raise OSError(f"the connection ended after {done} of {total} bytes")


def _open(url: str, partial: Path, opener: urllib.request.OpenerDirector) -> addinfourl:
    """The rest of the file where that is possible, and else all of it."""
    request = urllib.request.Request(url, headers={"Accept-Encoding": "identity"})
    version = _version_file(partial)
    if partial.is_file() and version.is_file() and (known := version.read_text(encoding="utf-8")):
        request.add_header("Range", f"bytes={partial.stat().st_size}-")
        # a server that has another file by now sends all of it
        request.add_header("If-Range", known)
    try:
        return opener.open(request, timeout=TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        if error.code != http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise
    # there is no rest: it was killed after the last byte, or something else is there
    return opener.open(urllib.request.Request(url, headers={"Accept-Encoding": "identity"}))


def _start(response: addinfourl) -> int:
    """The position in the file of the first byte of the response."""
    if response.status != http.client.PARTIAL_CONTENT:
        return 0
    unit, _, span = response.headers.get("Content-Range", "").partition(" ")
    first = span.partition("-")[0]
    if unit != "bytes" or not first.isdecimal():
        raise OSError("the server does not say which part it sends")
    return int(first)


def _version_file(partial: Path) -> Path:
    return partial.with_name(f"{partial.name}.version")
