"""Pages of the report: styled, with tables that a click on a header sorts, and nothing from a network."""

import html
from pathlib import Path

import pandas as pd


def beside(module: str, suffix: str) -> str:
    """The style sheet or script that has the name of the file ``module``."""
    return Path(module).with_suffix(suffix).read_text(encoding="utf-8").strip()


STYLE, SCRIPT = (beside(__file__, suffix) for suffix in (".css", ".js"))


def page(title: str, body: str, scripts: str = "") -> str:
    """A whole HTML page. ``title`` is text, ``body`` and ``scripts`` are HTML."""
    return plain_page(title, f"{body}\n<script>\n{SCRIPT}\n</script>\n{scripts}")


def plain_page(title: str, body: str) -> str:
    """The same without scripts: what the front page of the report may contain."""
    return _PAGE.format(title=html.escape(title), style=STYLE, body=body)


def table(frame: pd.DataFrame) -> str:
    """A table of finished cells, sortable."""
    return frame.to_html(index=False, border=0, justify="left", classes="sortable", na_rep="")


# the front page stands inside the report's own page, where styles must not leave ".page"
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title}</title>
<style>
{style}
</style>
</head>
<body>
<div class="page">
{body}
</div>
</body>
</html>
"""
