"""Download a data set that has a plain address; read its licence in docs/datasets.md first."""

import argparse
import json
import urllib.request
from pathlib import Path

from cotracker_pipeline.command import run
from cotracker_pipeline.data.archives import extract
from cotracker_pipeline.data.checksums import digest_of_file
from cotracker_pipeline.data.downloading import fetch
from cotracker_pipeline.data.published import PUBLISHED, RECORD, Published
from cotracker_pipeline.files import write_text


def main() -> None:
    """Command line."""
    arguments = _parser().parse_args()
    download(PUBLISHED[arguments.dataset], arguments.output, progress=True)


def download(
    published: Published,
    folder: Path,
    opener: urllib.request.OpenerDirector | None = None,
    progress: bool = False,
) -> None:
    """Write the files of a data set to ``folder``, and last ``download.json`` with their checksums.

    opener, progress: as for ``fetch``. Raises ``UserError`` when the download or the archive is refused.
    """
    archive = folder / published.archive
    checksum = fetch(published.url, archive, published.sha256, opener, progress)
    files = extract(archive, published.members, folder)
    record = {
        "url": published.url,
        "sha256": checksum,
        "bytes": archive.stat().st_size,
        "files": {path.name: digest_of_file(path) for path in files},
    }
    archive.unlink()
    write_text(folder / RECORD, json.dumps(record, indent=2) + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m cotracker_pipeline.download", description=__doc__)
    parser.add_argument("--dataset", choices=PUBLISHED, required=True)
    parser.add_argument("--output", type=Path, required=True, metavar="FOLDER", help="where its files go")
    return parser


if __name__ == "__main__":
    run(main)
