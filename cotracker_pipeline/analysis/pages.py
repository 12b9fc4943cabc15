"""Pages of their own for the report: styled, with tables that a click on a header sorts, nothing from a network."""

import html
from pathlib import Path

import pandas as pd

STYLE, SCRIPT = (
    Path(__file__).with_suffix(suffix).read_text(encoding="utf-8").strip() for suffix in (".css", ".js")
)


def page(title: str, body: str, scripts: str = "") -> str:
    """A whole HTML page. ``title`` is text, ``body`` and ``scripts`` are HTML."""
    return _PAGE.format(title=html.escape(title), style=STYLE, body=body, script=SCRIPT, scripts=scripts)


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
<script>
{script}
</script>
{scripts}</body>
</html>
"""
