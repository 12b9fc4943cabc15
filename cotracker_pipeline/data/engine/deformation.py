"""Non-rigid motion: bending, twisting and wobbling meshes."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Deformation:
    """A periodic deformation of an object in its own frame.

    kind: a key of ``KINDS``; amplitude: radians (twist) or a share of ``radius``; frequency: rad/s;
    phase: rad; wave: (3,) rad/m, direction and frequency of a wobble in space; radius: metres.
    """

    kind: str
    amplitude: float
    frequency: float
    phase: float
    wave: np.ndarray
    radius: float


def sample_deformation(rng: np.random.Generator, radius: float) -> Deformation:
    """A random deformation for an object that reaches ``radius`` metres from its centre."""
    return Deformation(
        kind=list(KINDS)[rng.integers(len(KINDS))],
        amplitude=rng.uniform(0.3, 1.0),
        frequency=rng.uniform(2, 6),
        phase=rng.uniform(0, 6),
        wave=rng.normal(0, 2.5, 3) / radius,
        radius=radius,
    )


def deform(vertices: np.ndarray, deformation: Deformation, time: float) -> np.ndarray:
    """Where ``vertices`` (V, 3) float64, metres, are at ``time`` in seconds -> (V, 3) float64."""
    return KINDS[deformation.kind](vertices, deformation, time)


def _twist(vertices: np.ndarray, deformation: Deformation, time: float) -> np.ndarray:
    x, y, z = vertices.T
    angle = _swing(deformation, time) * z / deformation.radius
    cos, sin = np.cos(angle), np.sin(angle)
    return np.stack([cos * x - sin * y, sin * x + cos * y, z], -1)


def _bend(vertices: np.ndarray, deformation: Deformation, time: float) -> np.ndarray:
    x, y, z = vertices.T
    return np.stack([x + 0.5 * _swing(deformation, time) * z * z / deformation.radius, y, z], -1)


def _wobble(vertices: np.ndarray, deformation: Deformation, time: float) -> np.ndarray:
    phase = vertices @ deformation.wave + deformation.frequency * time + deformation.phase
    outward = vertices / (np.linalg.norm(vertices, axis=1, keepdims=True) + 1e-9)
    return vertices + outward * (0.2 * deformation.amplitude * deformation.radius * np.sin(phase))[:, None]


def _swing(deformation: Deformation, time: float) -> float:
    return deformation.amplitude * float(np.sin(deformation.frequency * time + deformation.phase))


KINDS: dict[str, Callable[[np.ndarray, Deformation, float], np.ndarray]] = {
    "twist": _twist,
    "bend": _bend,
    "wobble": _wobble,
}
