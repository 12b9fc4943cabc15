"""The changes of a clip, in the published order: first its pixels, then where it is looked at."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Protocol

import numpy as np

from cotracker_pipeline.config import Augmentation, Clip
from cotracker_pipeline.data.augmentation.blur import draw_blur
from cotracker_pipeline.data.augmentation.erase import draw_erasing
from cotracker_pipeline.data.augmentation.flip import draw_flip
from cotracker_pipeline.data.augmentation.jitter import draw_jitter
from cotracker_pipeline.data.augmentation.labels import Labels
from cotracker_pipeline.data.augmentation.pad import draw_padding
from cotracker_pipeline.data.augmentation.replace import draw_replacement
from cotracker_pipeline.data.augmentation.view import draw_view


class Change(Protocol):
    """One change, drawn and ready to be made."""

    def label(self, labels: Labels) -> Labels:
        """The labels of the changed clip."""

    def paint(self, video: np.ndarray) -> np.ndarray:
        """The pixels (T, H, W, 3) uint8 of the changed clip; ``video`` may be written to."""


Draw = Callable[[np.random.Generator, Labels], Change]


def draw_changes(
    rng: np.random.Generator, labels: Labels, settings: Augmentation, clip: Clip
) -> tuple[list[Change], Labels]:
    """Draw what happens to a clip.

    Args:
        rng: the clip's own random numbers.
        labels: of the whole frames.
        settings: which changes there are; the others draw no random number.
        clip: height and width of the result.

    Returns:
        The changes in the order in which they are to be painted, and the labels after all of them.
    """
    changes = []
    for draw in _draws(settings, clip):
        changes.append(draw(rng, labels))
        labels = changes[-1].label(labels)
    return changes, labels


def _draws(settings: Augmentation, clip: Clip) -> Iterator[Draw]:
    if settings.erase:
        yield partial(draw_erasing, probability=settings.erase)
    if settings.replace:
        yield partial(draw_replacement, probability=settings.replace)
    if settings.jitter:
        yield partial(draw_jitter, probability=settings.jitter)
    if settings.blur:
        yield partial(draw_blur, probability=settings.blur)
    if settings.pad:
        yield partial(draw_padding, most=settings.pad)
    yield partial(draw_view, settings=settings, clip=clip)
    if settings.flip_x or settings.flip_y:
        yield partial(draw_flip, horizontally=settings.flip_x, vertically=settings.flip_y)
