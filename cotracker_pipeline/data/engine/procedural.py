"""Procedural textures: six patterns with grain, so that every patch is distinctive."""

from collections.abc import Callable

import cv2
import numpy as np
import scipy.fft
from scipy.spatial import cKDTree

Pattern = Callable[[np.random.Generator, int], np.ndarray]


def fractal_noise(rng: np.random.Generator, size: int, exponent: float) -> np.ndarray:
    """Periodic noise whose amplitude falls as frequency^-exponent -> (size, size) float32 in 0..1."""
    spectrum = scipy.fft.rfft2(rng.standard_normal((size, size), np.float32))
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None]).astype(np.float32)
    frequency[0, 0] = 1
    noise = scipy.fft.irfft2(spectrum / frequency**exponent, s=(size, size))
    low, high = np.percentile(noise, [1, 99])
    return np.clip((noise - low) / (high - low), 0, 1)


def palette(rng: np.random.Generator, count: int) -> np.ndarray:
    """Colours around one random hue -> (count, 3) float32 in 0..255."""
    hue = (rng.random() + rng.normal(0, 0.2, count)) % 1 * 179
    hsv = np.stack([hue, rng.uniform(40, 255, count), rng.uniform(30, 255, count)], -1)
    return cv2.cvtColor(hsv[None].astype(np.uint8), cv2.COLOR_HSV2RGB)[0].astype(np.float32)


def procedural_texture(rng: np.random.Generator, size: int) -> np.ndarray:
    """One random pattern with grain -> (size, size, 3) uint8."""
    image = PATTERNS[rng.integers(len(PATTERNS))](rng, size).astype(np.float32)
    grain = fractal_noise(rng, size, rng.uniform(0.4, 1.4))[..., None]
    image *= 1 - np.float32(rng.uniform(0.15, 0.5)) * grain
    image += 3 * rng.standard_normal((size, size, 1), np.float32)
    return np.clip(image, 0, 255).astype(np.uint8)


def _clouds(rng: np.random.Generator, size: int) -> np.ndarray:
    colours = palette(rng, 5)
    level = fractal_noise(rng, size, rng.uniform(1.0, 2.2)) * 4
    step = np.clip(level.astype(int), 0, 3)
    part = (level - step)[..., None]
    return colours[step] * (1 - part) + colours[step + 1] * part


def _cells(rng: np.random.Generator, size: int) -> np.ndarray:
    count = int(rng.integers(15, 120))
    y, x = np.mgrid[:size, :size]
    tree = cKDTree(rng.random((count, 2)) * size, boxsize=size)
    distance, nearest = tree.query(np.stack([x, y], -1).reshape(-1, 2), k=2)
    image = palette(rng, count)[nearest[:, 0]].reshape(size, size, 3)
    image[((distance[:, 1] - distance[:, 0]) < rng.uniform(1, 4)).reshape(size, size)] *= rng.uniform(0, 0.6)
    return image


def _checks(rng: np.random.Generator, size: int) -> np.ndarray:
    y, x = np.mgrid[:size, :size] * int(rng.integers(3, 12)) // size
    # now and then another pair of colours, or the pattern would repeat exactly
    odd_one_out = (x * 7 + y * 13) % 5 == 0
    return palette(rng, 4)[(x + y) % 2 + 2 * odd_one_out]


def _stripes(rng: np.random.Generator, size: int) -> np.ndarray:
    colours = palette(rng, 6)
    y, x = np.mgrid[:size, :size] / size
    across, down = rng.integers(-6, 7, 2)
    phase = (across * x + down * y + 0.15 * fractal_noise(rng, size, 1.8)) % 1
    return colours[(phase * 6).astype(int) % 6]


def _dots(rng: np.random.Generator, size: int) -> np.ndarray:
    image = _plain(rng, size)
    for colour in palette(rng, int(rng.integers(20, 90))):
        radius = int(rng.integers(size // 60, size // 10))
        cv2.circle(image, rng.integers(0, size, 2).tolist(), radius, colour.tolist(), -1, cv2.LINE_AA)
    return image


def _scribble(rng: np.random.Generator, size: int) -> np.ndarray:
    image = _plain(rng, size)
    for colour in palette(rng, int(rng.integers(15, 40))):
        draw = _word if rng.random() < 0.5 else _zigzag
        draw(rng, image, colour.tolist())
    return image


def _plain(rng: np.random.Generator, size: int) -> np.ndarray:
    return np.tile(palette(rng, 1)[0], (size, size, 1)).astype(np.uint8)


def _word(rng: np.random.Generator, image: np.ndarray, colour: list[float]) -> None:
    size = len(image)
    text = "".join(map(chr, rng.integers(48, 91, 4)))
    scale = size / 256 * rng.uniform(0.5, 2.5)
    where, font, width = rng.integers(-20, size, 2).tolist(), int(rng.integers(0, 8)), int(rng.integers(1, 5))
    cv2.putText(image, text, where, font, scale, colour, width, cv2.LINE_AA)


def _zigzag(rng: np.random.Generator, image: np.ndarray, colour: list[float]) -> None:
    corners = rng.integers(0, len(image), (int(rng.integers(2, 6)), 2)).astype(np.int32)
    cv2.polylines(image, [corners], False, colour, int(rng.integers(1, 8)), cv2.LINE_AA)


PATTERNS: tuple[Pattern, ...] = (_clouds, _cells, _checks, _stripes, _dots, _scribble)
