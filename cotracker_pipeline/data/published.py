"""The data sets that can be had by a plain address."""

from pathlib import Path
from typing import NamedTuple

RECORD = "download.json"
"""Written last, beside the files of a data set that was downloaded."""


class Published(NamedTuple):
    """url: of a zip archive; members: pattern of the names of the files in it that are read; sha256: of the
    archive, where its owner states one."""

    url: str
    members: str
    sha256: str | None = None

    @property
    def archive(self) -> str:
        """The name of the archive."""
        return self.url.rsplit("/", 1)[-1]

    def is_ours(self, folder: Path) -> bool:
        """Whether a download has filled ``folder`` or has yet to, and nobody with files of their own."""
        # files beside their archive may not be all of them
        begun = (folder / self.archive).exists()
        return (folder / RECORD).exists() or begun or not any(folder.glob(self.members))


PUBLISHED = {
    "tapvid-davis": Published(
        "https://storage.googleapis.com/dm-tapnet/tapvid_davis.zip", "tapvid_davis.pkl"
    ),
    "tapvid-rgb-stacking": Published(
        "https://storage.googleapis.com/dm-tapnet/tapvid_rgb_stacking.zip", "tapvid_rgb_stacking.pkl"
    ),
    "robotap": Published(
        "https://storage.googleapis.com/dm-tapnet/robotap/robotap.zip", "robotap_split*.pkl"
    ),
}
