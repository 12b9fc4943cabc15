"""Samples of the scenes that a study is trained and evaluated on, as a page of its own."""

import html
import os
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cotracker_pipeline.analysis import pages
from cotracker_pipeline.analysis.colours import ON_VIDEO
from cotracker_pipeline.analysis.pictures import data_uri, reduced
from cotracker_pipeline.data.choice import evenly_apart
from cotracker_pipeline.data.store import ShardReader

LONGEST_SIDE = 224
LEGEND = (
    "Some frames of the first scenes of each split, with some of their tracks: dot = visible, ring = "
    "occluded. Within a scene a point keeps its colour."
)


class Scene(NamedTuple):
    """One sequence.

    Attributes:
        name: of the sequence.
        frames: (T, H, W, 3) uint8, RGB: all that are shown.
        times: (T,) their numbers.
        tracks: (N, T, 2) floating, raster pixels.
        visible: (N, T) bool.
        facts: what there is of it, in words.
    """

    name: str
    frames: NDArray[np.uint8]
    times: NDArray[np.int64]
    tracks: NDArray[np.floating]
    visible: NDArray[np.bool_]
    facts: str


def read_scenes(
    shard: str | os.PathLike[str], scenes: int, frames: int = 4, tracks: int = 24
) -> Iterator[Scene]:
    """The first ``scenes`` of a shard, at most so many frames and tracks of each, evenly apart.

    Raises ``UserError`` when the shard cannot be read.
    """
    with ShardReader(shard) as reader:
        for index, name in enumerate(reader.names[:scenes]):
            places, visible, valid = reader.labels(index)
            length, height, width = (int(reader.attributes(index)[key]) for key in ("T", "H", "W"))
            times, chosen = evenly_apart(length, frames), evenly_apart(len(places), tracks)
            shown = visible & valid
            facts = (
                f"{length} frames of {width}x{height}, {len(places)} tracks, "
                f"visible {100 * shown.sum() / max(valid.sum(), 1):.0f} % of the time"
            )
            video = np.concatenate([reader.frames(index, time, time + 1) for time in times])
            yield Scene(name, video, times, places[chosen][:, times], shown[chosen][:, times], facts)


def scenes_page(splits: dict[str, list[Scene]]) -> str:
    """A row a scene."""
    body = ["<h1>Scenes of this study</h1>", f'<p class="quiet">{html.escape(LEGEND)}</p>']
    for split, scenes in splits.items():
        body += [f"<h2>{html.escape(split)}</h2>", *(_row(scene) for scene in scenes)]
    return pages.page("Scenes of this study", "\n".join(body))


def _row(scene: Scene) -> str:
    pictures = [_picture(scene, place) for place in range(len(scene.times))]
    caption = html.escape(f"{scene.name}: {scene.facts}")
    return f'<figure><div class="strip">{"".join(pictures)}</div><figcaption>{caption}</figcaption></figure>'


def _picture(scene: Scene, place: int) -> str:
    """A frame with its points, drawn sharply at any size."""
    frame = scene.frames[place]
    height, width = frame.shape[:2]
    shown = LONGEST_SIDE * width // max(width, height)
    points = [
        _point(track[place], bool(visible[place]), ON_VIDEO[index % len(ON_VIDEO)], width / 64)
        for index, (track, visible) in enumerate(zip(scene.tracks, scene.visible, strict=True))
        if np.isfinite(track[place]).all()
    ]
    return (
        f'<svg viewBox="0 0 {width} {height}" width="{shown}" role="img">'
        f"<title>frame {scene.times[place]}</title>"
        f'<image href="{data_uri(reduced(frame, LONGEST_SIDE))}" width="{width}" height="{height}"/>'
        f"{''.join(points)}</svg>"
    )


def _point(at: NDArray[np.floating], visible: bool, colour: str, radius: float) -> str:
    look = f'fill="{colour}" stroke="black"' if visible else f'fill="none" stroke="{colour}"'
    place = f'cx="{at[0]:.1f}" cy="{at[1]:.1f}" r="{radius:.1f}"'
    return f'<circle {place} {look} stroke-width="{radius / 4:.2f}"/>'
