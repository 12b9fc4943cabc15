"""Pages in a real browser without a network: what they say of errors, and what they ask for."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
#: What pages may load: themselves, and what they contain.
INSIDE = ("file:", "data:", "blob:", "about:")


@contextmanager
def opened(path: Path, width: int = 1300, height: int = 900) -> Iterator[Any]:
    """The page at ``path``; in the end it must have met no error and asked for nothing from elsewhere."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    browser_path = next(filter(None, map(shutil.which, NAMES)), None)
    if browser_path is None:
        pytest.skip("there is no Chromium on this machine (Debian: apt-get install chromium)")
    errors: list[str] = []
    asked: list[str] = []
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
        try:
            context = browser.new_context(viewport={"width": width, "height": height}, offline=True)
            page = context.new_page()
            page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
            page.on("pageerror", lambda error: errors.append(str(error)))
            page.on("request", lambda request: asked.append(request.url))
            page.goto(path.as_uri())
            yield page
        finally:
            browser.close()
    assert errors == []
    assert [url[:100] for url in asked if not url.startswith(INSIDE)] == []
