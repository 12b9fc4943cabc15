"""Textures of objects, floor and backdrop, from photographs and patterns; all wrap around without a seam."""

from collections.abc import Callable, Mapping

import cv2
import numpy as np

from cotracker_pipeline.data.engine.photographs import SURFACES
from cotracker_pipeline.data.engine.procedural import fractal_noise, palette, procedural_texture

Photographs = Mapping[str, np.ndarray]
Draw = Callable[[np.random.Generator, int, Photographs], np.ndarray]

PHOTO_SHARE = 0.65
# a flat, black or burnt-out texture cannot be tracked: draw again, but not for ever
MIN_CONTRAST, MIN_MEAN, MAX_MEAN, MAX_DRAWS = 22.0, 35.0, 225.0, 7


def object_texture(rng: np.random.Generator, size: int, photos: Photographs) -> np.ndarray:
    """A photograph, a pattern, or both mixed -> (size, size, 3) uint8."""
    return _with_contrast(_draw_object, rng, size, photos)


def floor_texture(rng: np.random.Generator, size: int, photos: Photographs) -> np.ndarray:
    """Mostly photographs of surfaces, unevenly bright -> (size, size, 3) uint8."""
    return _with_contrast(_draw_floor, rng, size, photos)


def backdrop_texture(rng: np.random.Generator, size: int, photos: Photographs) -> np.ndarray:
    """A wide crop of a photograph -> (size, size, 3) uint8."""
    return _with_contrast(_draw_backdrop, rng, size, photos)


def own_texture(picture: np.ndarray, size: int) -> np.ndarray:
    """The image that an object brings, as it is -> (size, size, 3) uint8."""
    return cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA)


def _with_contrast(draw: Draw, rng: np.random.Generator, size: int, photos: Photographs) -> np.ndarray:
    for _ in range(MAX_DRAWS):
        image = _tileable(draw(rng, size, photos))
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        if grey.std() > MIN_CONTRAST and MIN_MEAN < grey.mean() < MAX_MEAN:
            break
    return image


def _draw_object(rng: np.random.Generator, size: int, photos: Photographs) -> np.ndarray:
    if rng.random() > PHOTO_SHARE:
        return procedural_texture(rng, size)
    image = _recolour(_crop(_any_of(rng, photos), rng, size, 0.25, 0.9), rng)
    if rng.random() < 0.25:
        mask = fractal_noise(rng, size, 1.8) > rng.uniform(0.4, 0.7)
        image[mask] = procedural_texture(rng, size)[mask]
    return image


def _draw_floor(rng: np.random.Generator, size: int, photos: Photographs) -> np.ndarray:
    kind = rng.random()
    if kind > 0.85:
        image = procedural_texture(rng, size)
    else:
        # of the user's own images nobody knows which show a surface
        surfaces = {name: photos[name] for name in photos if name in SURFACES} or photos
        image = _recolour(_crop(_any_of(rng, surfaces if kind < 0.5 else photos), rng, size, 0.6, 1.2), rng)
    brightness = 0.65 + 0.7 * cv2.resize(fractal_noise(rng, 128, 1.8), (size, size))
    return np.clip(image * brightness[..., None], 0, 255).astype(np.uint8)


def _draw_backdrop(rng: np.random.Generator, size: int, photos: Photographs) -> np.ndarray:
    return _recolour(_crop(_any_of(rng, photos), rng, size, 0.7, 1.3), rng)


def _any_of(rng: np.random.Generator, photos: Photographs) -> np.ndarray:
    return photos[sorted(photos)[rng.integers(len(photos))]]


def _crop(photo: np.ndarray, rng: np.random.Generator, size: int, least: float, most: float) -> np.ndarray:
    """A turned square crop, ``least`` to ``most`` of the shorter side across, mirrored at the borders."""
    height, width = photo.shape[:2]
    across = rng.uniform(least, most) * min(height, width)
    angle = rng.uniform(0, 360) if rng.random() < 0.5 else 90.0 * rng.integers(4)
    centre = (rng.uniform(0, width), rng.uniform(0, height))
    transform = cv2.getRotationMatrix2D(centre, angle, size / across)
    transform[:, 2] += np.subtract(size / 2, centre)
    filtering = cv2.INTER_AREA if across > size else cv2.INTER_CUBIC
    return cv2.warpAffine(photo, transform, (size, size), flags=filtering, borderMode=cv2.BORDER_REFLECT_101)


def _recolour(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Another hue, saturation and brightness; grey photographs mostly get a tint."""
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV).astype(np.float32)
    grey = hsv[..., 1].mean() < 12
    if rng.random() < 0.6:
        hsv[..., 0] = (hsv[..., 0] + rng.uniform(0, 180)) % 180
    hsv[..., 1] *= rng.uniform(0.6, 1.4)
    hsv[..., 2] = hsv[..., 2] * rng.uniform(0.7, 1.3) + rng.uniform(-20, 20)
    image = cv2.cvtColor(np.clip(hsv, 0, 255).astype(np.uint8), cv2.COLOR_HSV2RGB)
    if grey and rng.random() < 0.8:
        image = np.clip(image * (palette(rng, 1)[0] / 255 * 0.8 + 0.35), 0, 255).astype(np.uint8)
    return image


def _tileable(image: np.ndarray) -> np.ndarray:
    """Fade into the image shifted by half its size towards the borders, so that it wraps without a seam."""
    size = len(image)
    from_centre = np.abs(np.linspace(-1, 1, size, dtype=np.float32))
    share = np.clip((np.maximum(from_centre[:, None], from_centre) - 0.6) / 0.3, 0, 1)
    share = (share * share * (3 - 2 * share))[..., None]
    shifted = np.roll(image, (size // 2, size // 2), (0, 1))
    return (image * (1 - share) + shifted * share).astype(np.uint8)
