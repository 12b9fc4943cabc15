"""Tables of a user's own: CSV files with a header, whose rows name frames and positions."""

from pathlib import Path

import numpy as np
import pandas as pd

from cotracker_pipeline.data.coordinates import index_to_raster
from cotracker_pipeline.errors import UserError


def read_table(path: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    """The rows of a CSV file, all cells as text, with ``columns`` and those that ``places`` reads.

    Raises ``UserError`` when it is no table, lacks a column or has no row.
    """
    try:
        rows = pd.read_csv(path, dtype=str, skipinitialspace=True)
    # the parser meets damage with many types
    except Exception as error:
        reason = " ".join(str(error).split())[:80]
        raise UserError(f"{path}: cannot be read as a table ({reason}); mend that line") from error
    missing = [key for key in (*columns, "frame", *_position_columns(rows)) if key not in rows]
    if missing:
        raise UserError(f"{path}: has no column {', '.join(missing)}; name it in the first line")
    if rows.empty:
        raise UserError(f"{path}: has no row below its header; add one")
    return rows


def places(rows: pd.DataFrame, frames: int, path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Where the rows are in a video of ``frames``: frame (R,) int64, and (R, 2) float64 raster pixels.

    They are given as ``frame`` and ``x``, ``y`` in raster pixels, or instead ``column``, ``row`` in pixel
    indices. Raises ``UserError`` naming what is no number or no frame.
    """
    frame = numbers(rows, "frame", path)
    if not ((frame >= 0) & (frame < frames) & (frame == np.round(frame))).all():
        raise UserError(
            f"{path}: 'frame' must be whole numbers from 0 to {frames - 1}; mend those that are not"
        )
    columns = _position_columns(rows)
    positions = np.stack([numbers(rows, key, path) for key in columns], axis=-1)
    return frame.astype(np.int64), positions if columns == ("x", "y") else index_to_raster(positions)


def numbers(rows: pd.DataFrame, key: str, path: Path) -> np.ndarray:
    """A column as finite float64 (R,). Raises ``UserError`` naming the line of the first that is none."""
    found = pd.to_numeric(rows[key], errors="coerce").to_numpy(np.float64)
    if not np.isfinite(found).all():
        line = int(np.flatnonzero(~np.isfinite(found))[0]) + 2
        raise UserError(f"{path}: '{key}' is no finite number in line {line}; mend it or remove the line")
    return found


def _position_columns(rows: pd.DataFrame) -> tuple[str, str]:
    return ("x", "y") if {"x", "y"} <= set(rows) else ("column", "row")
