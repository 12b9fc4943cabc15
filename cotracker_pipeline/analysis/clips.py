"""A player of clips: what each variant predicts over the truth, as a page of its own."""

import html
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cotracker_pipeline.analysis import pages
from cotracker_pipeline.analysis.colours import ON_VIDEO
from cotracker_pipeline.analysis.example import Example
from cotracker_pipeline.analysis.pictures import data_uri, reduced
from cotracker_pipeline.analysis.scripts import script

FRAMES_PER_SECOND = 8
MOST_FRAMES = 48
"""Of a long video the first ones are shown."""

TITLE = "Tracks on unseen clips"
LEGEND = (
    "Two variants on a clip that they were not trained on. Dot: predicted visible, with its way through the "
    "last frames; ring: predicted occluded. White cross: the truth where it is visible, dotted where it is "
    "occluded, joined to its prediction. The number above a picture: mean error of the visible points now."
)


def clips_page(examples: Sequence[Mapping[str, Example]], names: Sequence[str]) -> str:
    """The player.

    Args:
        examples: of each video what each variant predicts, on the same tracks.
        names: of the videos.
    """
    videos = [_video(name, of_variants) for name, of_variants in zip(names, examples, strict=True)]
    data = {"fps": FRAMES_PER_SECOND, "colours": ON_VIDEO, "videos": videos}
    body = f'<h1>{TITLE}</h1>\n<div id="player"></div>\n<p class="quiet">{html.escape(LEGEND)}</p>'
    return pages.page(TITLE, body, script("clips", data, _PLAYER))


def _video(name: str, of_variants: Mapping[str, Example]) -> dict[str, Any]:
    """One clip as the player reads it; positions are shares of width and height."""
    example = next(iter(of_variants.values()))
    frames = example.video[:MOST_FRAMES]
    size = np.array(frames.shape[2:0:-1])
    return {
        "name": name,
        "width": int(size[0]),
        "height": int(size[1]),
        "frames": [data_uri(reduced(frame)) for frame in frames],
        "truth": _places(example.true_tracks, size),
        "visible": _flags(example.true_visible),
        "variants": {
            variant: {
                "tracks": _places(one.predicted_tracks, size),
                "visible": _flags(one.predicted_visible),
            }
            for variant, one in of_variants.items()
        },
    }


def _places(tracks: NDArray[np.floating], size: NDArray[np.int64]) -> list[list[list[float] | None]]:
    """(N, T, 2) in raster pixels as N lists of T pairs in 0..1 of the picture; None where there is none."""
    # far outside, nothing is seen: no endless numbers
    shares = np.clip(tracks[:, :MOST_FRAMES] / size, -2, 3).round(4)
    return [[pair if np.isfinite(pair).all() else None for pair in track] for track in shares.tolist()]


def _flags(visible: NDArray[np.bool_]) -> list[str]:
    """(N, T) as N texts of T digits."""
    return ["".join("01"[flag] for flag in track) for track in visible[:, :MOST_FRAMES].tolist()]


_PLAYER = pages.beside(__file__, ".js")
