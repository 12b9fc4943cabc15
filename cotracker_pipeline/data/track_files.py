"""Writing tracks as ``tracks.npz`` and ``tracks.csv``, in the form that a user's own tracks are read in."""

import os

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cotracker_pipeline.files import atomic_path


def write_npz(
    path: str | os.PathLike[str],
    tracks: NDArray[np.float32],
    visible: NDArray[np.bool_],
    valid: NDArray[np.bool_],
    queries: NDArray[np.float64],
) -> None:
    """Write arrays of these names atomically, compressed.

    Args:
        tracks: (N, T, 2), (x, y) in raster pixels.
        visible: (N, T); valid: (N, T), where there is a position.
        queries: (N, 3) as (t, x, y) in raster pixels.
    """
    with atomic_path(path) as temporary:
        np.savez_compressed(temporary, tracks=tracks, visible=visible, valid=valid, queries=queries)


def write_csv(
    path: str | os.PathLike[str],
    tracks: NDArray[np.float32],
    visible: NDArray[np.bool_],
    valid: NDArray[np.bool_],
) -> None:
    """Write one row a track and valid frame, atomically; positions to a thousandth of a pixel.

    The arrays are those of ``write_npz``. Numbers of tracks have leading zeros, so that they sort as texts.
    """
    track, frame = np.nonzero(valid)
    digits = len(str(max(len(tracks) - 1, 0)))
    names = np.array([f"{number:0{digits}d}" for number in range(len(tracks))])
    x, y = tracks[track, frame].T
    rows = {
        "track": names[track],
        "frame": frame,
        "x": x,
        "y": y,
        "visible": visible[track, frame].astype(int),
    }
    with atomic_path(path) as temporary:
        pd.DataFrame(rows).to_csv(temporary, index=False, float_format="%.3f")
