"""Describe shards: sequences, frames, tracks, visibility and motion, as tables and as a contact sheet."""

import argparse
from collections.abc import Iterator, Sequence
from functools import reduce
from operator import add
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from tqdm import tqdm

from cotracker_pipeline.command import run
from cotracker_pipeline.data.contact_sheet import draw_contact_sheet
from cotracker_pipeline.data.description import Description, describe_sequence
from cotracker_pipeline.data.description_rows import as_numbers, as_text
from cotracker_pipeline.data.store import ShardReader
from cotracker_pipeline.errors import UserError
from cotracker_pipeline.files import atomic_path, write_text

NOTE = """T, H, W, N: frames, height, width and tracks of a sequence.
Per cent of all positions (a track in a frame): visible; hidden inside; outside of the frame; not annotated.
Median and 95 %: pixels that a point moves from one frame to the next, where both show it."""


def main() -> None:
    """Command line."""
    arguments = _parser().parse_args()
    if arguments.sequences < 1:
        raise UserError(f"--sequences {arguments.sequences}: give at least 1")
    readers = [_opened(path) for path in arguments.shards]
    rows: list[dict[str, object]] = []
    totals = [reduce(add, _described(reader, rows)) for reader in readers]
    if arguments.csv:
        write_text(
            arguments.csv, pd.DataFrame(rows).to_csv(index=False, float_format="%.6g", lineterminator="\n")
        )
    if arguments.sheet:
        write_png(draw_contact_sheet(readers, arguments.sequences), arguments.sheet)
    print(_table(readers, totals))
    print(f"\n{NOTE}")


def write_png(picture: np.ndarray, path: Path) -> None:
    """Write ``picture`` (H, W, 3) uint8, RGB, as a PNG file."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(cv2.imencode(".png", picture[..., ::-1])[1].tobytes())


def _opened(path: Path) -> ShardReader:
    reader = ShardReader(path)
    if not len(reader):
        raise UserError(f"{path}: holds no sequence; give another file")
    return reader


def _described(reader: ShardReader, rows: list[dict[str, object]]) -> Iterator[Description]:
    """The description of each sequence, which also becomes a row."""
    with reader:
        for index, name in enumerate(tqdm(reader.names, desc=reader.path, unit="sequence", leave=False)):
            description = describe_sequence(reader, index)
            rows.append({"file": reader.path, "sequence": name, **as_numbers(description)})
            yield description


def _table(readers: Sequence[ShardReader], totals: list[Description]) -> str:
    rows = [
        {"file": reader.path, "source": str(reader.provenance.get("source", "")), **as_text(total)}
        for reader, total in zip(readers, totals, strict=True)
    ]
    if len(totals) > 1:
        rows.append({"file": "all", "source": "", **as_text(reduce(add, totals))})
    return pd.DataFrame(rows).to_markdown(index=False, tablefmt="simple", disable_numparse=True)


def _png(text: str) -> Path:
    if Path(text).suffix.lower() != ".png":
        raise argparse.ArgumentTypeError(f"{text}: give a name that ends in .png")
    return Path(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m cotracker_pipeline.describe", description=__doc__)
    parser.add_argument("shards", type=Path, nargs="+", metavar="H5", help="files to describe")
    parser.add_argument("--csv", type=Path, metavar="CSV", help="table to write, one row a sequence")
    parser.add_argument("--sheet", type=_png, metavar="PNG", help="contact sheet to write")
    parser.add_argument(
        "--sequences", type=int, default=24, help="at most so many are on the sheet (default: 24)"
    )
    return parser


if __name__ == "__main__":
    run(main)
