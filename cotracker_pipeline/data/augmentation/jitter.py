"""Colour jitter: another brightness, contrast, saturation and hue in every frame."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from cotracker_pipeline.data.augmentation.labels import Labels

# the published ranges: factors lie within 1 -+ these, the hue turns by up to this share of the colour wheel
BRIGHTNESS = CONTRAST = SATURATION = 0.2
HUE = 0.25 / 3.14

LEVELS = np.arange(256, dtype=np.float32)


class ColourJitter(NamedTuple):
    """What happens to the colours of one image: three factors, a turn of the hue, and their order."""

    brightness: float
    contrast: float
    saturation: float
    hue: float
    order: tuple[int, ...]

    def apply(self, image: np.ndarray) -> np.ndarray:
        """Recolour ``image`` (H, W, 3) uint8, contiguous -> the same shape and type."""
        amounts = (self.brightness, self.contrast, self.saturation, self.hue)
        for step in self.order:
            image = STEPS[step](image, amounts[step])
        return image


@dataclass(frozen=True)
class Jitter:
    """A jitter for each frame; none when the clip keeps its colours."""

    colours: tuple[ColourJitter, ...]

    def label(self, labels: Labels) -> Labels:
        """The labels, which stay."""
        return labels

    def paint(self, video: np.ndarray) -> np.ndarray:
        """The pixels of the changed clip, in place."""
        for frame, jitter in zip(video, self.colours, strict=False):
            frame[:] = jitter.apply(frame)
        return video


def draw_jitter(rng: np.random.Generator, labels: Labels, probability: float) -> Jitter:
    """With ``probability`` every frame of the clip gets colours of its own."""
    return Jitter(draw_colours(rng, labels.frames) if rng.random() < probability else ())


def draw_colours(rng: np.random.Generator, count: int) -> tuple[ColourJitter, ...]:
    """``count`` independent jitters."""
    return tuple(
        ColourJitter(
            rng.uniform(1 - BRIGHTNESS, 1 + BRIGHTNESS),
            rng.uniform(1 - CONTRAST, 1 + CONTRAST),
            rng.uniform(1 - SATURATION, 1 + SATURATION),
            rng.uniform(-HUE, HUE),
            tuple(rng.permutation(len(STEPS)).tolist()),
        )
        for _ in range(count)
    )


def _brighten(image: np.ndarray, factor: float) -> np.ndarray:
    return cv2.LUT(image, _table(factor * LEVELS))


def _contrast(image: np.ndarray, factor: float) -> np.ndarray:
    mean = cv2.mean(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))[0]
    return cv2.LUT(image, _table(factor * LEVELS + (1 - factor) * mean))


def _saturate(image: np.ndarray, factor: float) -> np.ndarray:
    grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    return cv2.addWeighted(image, factor, grey, 1 - factor, 0)


def _turn_hue(image: np.ndarray, turns: float) -> np.ndarray:
    # the full range of a byte is one turn, so that it wraps by itself
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV_FULL)
    hsv[..., 0] += np.uint8(round(256 * turns) % 256)
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB_FULL)


def _table(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


# the order is that of the amounts
STEPS: tuple[Callable[[np.ndarray, float], np.ndarray], ...] = (_brighten, _contrast, _saturate, _turn_hue)
