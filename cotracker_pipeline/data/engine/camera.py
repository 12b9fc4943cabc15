"""The camera: its paths, and the projection between the world and raster pixels."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline

from cotracker_pipeline.data.engine.presets import SceneSettings

MIX = {"static": 0.10, "linear": 0.40, "pan": 0.35, "orbit": 0.15}
# what cameras look at: a little above the middle of the floor
FOCUS = np.array([0.0, 0.0, 0.6])
NEAREST_START, FARTHEST_START, FARTHEST, LOWEST = 5.5, 8.5, 11.0, 0.4


@dataclass(frozen=True)
class Camera:
    """A pinhole camera moving through the world.

    intrinsics: (T, 3, 3) float64, raster pixels (the middle of the image is W/2, H/2).
    to_world: (T, 4, 4) float64, from the camera's axes (x right, y down, z forward) to the world, metres.
    mode: the kind of path.
    """

    intrinsics: np.ndarray
    to_world: np.ndarray
    mode: str

    def position(self, frame: int) -> np.ndarray:
        """Where the camera is: (3,) float64, metres."""
        return self.to_world[frame, :3, 3]

    def rays(self, frame: int, xy: np.ndarray) -> np.ndarray:
        """Unit directions (M, 3) float32 from the camera through raster pixels ``xy`` (M, 2)."""
        intrinsics, rotation = self.intrinsics[frame], self.to_world[frame, :3, :3]
        across = (xy - intrinsics[:2, 2]) / intrinsics.diagonal()[:2]
        directions = across @ rotation[:, :2].T + rotation[:, 2]
        directions /= np.sqrt(np.einsum("ij,ij->i", directions, directions))[:, None]
        return directions.astype(np.float32)

    def project(self, frame: int, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """World ``points`` (N, 3), metres -> raster pixels (N, 2) and depth (N,) along the axis, metres."""
        intrinsics = self.intrinsics[frame]
        local = (points - self.position(frame)) @ self.to_world[frame, :3, :3]
        depth = local[:, 2]
        # points in the camera's plane have no image; keep their coordinates finite
        divisor = np.where(np.abs(depth) < 1e-6, 1e-6, depth)
        return local[:, :2] / divisor[:, None] * intrinsics.diagonal()[:2] + intrinsics[:2, 2], depth


def sample_camera(rng: np.random.Generator, settings: SceneSettings) -> Camera:
    """A random path of the kind that ``settings.camera`` asks for."""
    mode: str = settings.camera
    if mode == "mixed":
        mode = str(rng.choice(list(MIX), p=list(MIX.values())))
    positions, targets = PATHS[mode](rng, settings)
    shake = settings.handheld * settings.motion * (rng.random() < 0.7)
    positions += _smooth_noise(rng, settings.frames, 3, 0.035 * shake)
    targets += _smooth_noise(rng, settings.frames, 3, 0.05 * shake)
    rolls = rng.normal(0, 0.06) + _smooth_noise(rng, settings.frames, 1, 0.012 * shake)[:, 0]
    positions[:, 2] = np.maximum(positions[:, 2], LOWEST)
    # stay inside the dome
    positions *= np.minimum(1, FARTHEST / np.linalg.norm(positions, axis=1, keepdims=True))
    to_world = np.stack([_look_at(*view) for view in zip(positions, targets, rolls, strict=True)])
    return Camera(_intrinsics(rng, settings), to_world, mode)


Path = tuple[np.ndarray, np.ndarray]


def _static(rng: np.random.Generator, settings: SceneSettings) -> Path:
    position, target = _start(rng), FOCUS + rng.normal(0, 0.4, 3)
    return np.tile(position, (settings.frames, 1)), np.tile(target, (settings.frames, 1))


def _linear(rng: np.random.Generator, settings: SceneSettings) -> Path:
    target = FOCUS + rng.normal(0, 0.6, 3) * [1, 1, 0.4]
    return _travel(rng, settings), np.tile(target, (settings.frames, 1))


def _pan(rng: np.random.Generator, settings: SceneSettings) -> Path:
    first = FOCUS + rng.normal(0, 0.6, 3) * [1, 1, 0.4]
    last = first + rng.normal(0, 1, 3) * [1.6, 1.6, 0.5] * np.float64(settings.motion)
    return _travel(rng, settings), np.linspace(first, last, settings.frames)


def _orbit(rng: np.random.Generator, settings: SceneSettings) -> Path:
    x, y, z = _start(rng)
    turn = rng.uniform(0.3, 1.2) * rng.choice([-1, 1]) * settings.motion
    angle = np.arctan2(y, x) + np.linspace(0, turn, settings.frames)
    height = np.linspace(z, z + rng.uniform(-1, 1), settings.frames)
    radius, target = np.hypot(x, y), FOCUS + rng.normal(0, 0.3, 3)
    positions = np.stack([radius * np.cos(angle), radius * np.sin(angle), height], -1)
    return positions, np.tile(target, (settings.frames, 1))


PATHS: dict[str, Callable[[np.random.Generator, SceneSettings], Path]] = {
    "static": _static,
    "linear": _linear,
    "pan": _pan,
    "orbit": _orbit,
}


def _start(rng: np.random.Generator) -> np.ndarray:
    """A position in a shell around the scene, neither overhead nor at the floor."""
    while True:
        direction = rng.normal(size=3)
        direction[2] = abs(direction[2])
        direction /= np.linalg.norm(direction)
        if 0.12 < direction[2] < 0.8:
            return direction * rng.uniform(NEAREST_START, FARTHEST_START)


def _travel(rng: np.random.Generator, settings: SceneSettings) -> np.ndarray:
    first = _start(rng)
    last = first + rng.normal(0, 1 / 1.7, 3) * rng.uniform(0.5, 3.0) * settings.motion
    last[2] = max(last[2], 0.7)
    return np.linspace(first, last, settings.frames)


def _smooth_noise(rng: np.random.Generator, frames: int, dimensions: int, scale: float) -> np.ndarray:
    knots = rng.normal(0, scale, (6, dimensions))
    return CubicSpline(np.arange(6), knots)(np.linspace(0, 5, frames))


def _look_at(position: np.ndarray, target: np.ndarray, roll: float) -> np.ndarray:
    forward = (target - position) / np.linalg.norm(target - position)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    down = np.cross(forward, right)
    cos, sin = np.cos(roll), np.sin(roll)
    pose = np.eye(4)
    pose[:3] = np.stack([cos * right + sin * down, cos * down - sin * right, forward, position], -1)
    return pose


def _intrinsics(rng: np.random.Generator, settings: SceneSettings) -> np.ndarray:
    """A random focal length; three of ten cameras zoom."""
    zoom = rng.normal(0, 0.12) if rng.random() < 0.3 else 0.0
    focal = rng.uniform(0.95, 1.6) * max(settings.height, settings.width)
    intrinsics = np.zeros((settings.frames, 3, 3))
    intrinsics[:, 0, 0] = intrinsics[:, 1, 1] = focal * np.exp(np.linspace(0, zoom, settings.frames))
    intrinsics[:, :, 2] = settings.width / 2, settings.height / 2, 1
    return intrinsics
