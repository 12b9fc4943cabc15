"""Exact tracks: points fixed to the material, followed through the frames."""

from dataclasses import dataclass

import numpy as np

from cotracker_pipeline.data.engine.raycast import Surfaces, bodies_of_triangles
from cotracker_pipeline.data.engine.scene import FIRST_OBJECT, Scene

SAMPLED_FRAMES = 6
# candidates per frame for each point that is wanted: enough for small objects to get their share
CANDIDATES = 4
SURROUNDINGS_SHARE = 0.3
NEAREST_DEPTH = 0.05
# a point is hidden if something is nearer than this share of its distance (verified against OpenGL buffers)
RELATIVE_TOLERANCE = 2e-3


@dataclass(frozen=True)
class MaterialPoints:
    """Points on triangles: triangle (N,) int64 and weights (N, 3) float64 of its corners."""

    triangle: np.ndarray
    weights: np.ndarray

    def __len__(self) -> int:
        return len(self.triangle)

    def __getitem__(self, chosen: np.ndarray) -> "MaterialPoints":
        return MaterialPoints(self.triangle[chosen], self.weights[chosen])


@dataclass(frozen=True)
class Observation:
    """Points in one frame: xy (N, 2) float32 raster pixels, depth (N,) float32 metres, visible (N,) bool."""

    xy: np.ndarray
    depth: np.ndarray
    visible: np.ndarray


def sampled_frames(rng: np.random.Generator, frames: int) -> list[int]:
    """The few random frames in which points are picked."""
    return sorted(rng.choice(frames, min(frames, SAMPLED_FRAMES), replace=False).tolist())


def pick_candidates(
    rng: np.random.Generator, scene: Scene, surfaces: Surfaces, points: int
) -> MaterialPoints:
    """Points at random sub-pixel places of one frame, all of them visible in it."""
    settings, camera, frame = scene.settings, scene.camera, surfaces.frame
    xy = rng.random((CANDIDATES * points, 2)) * [settings.width, settings.height]
    hits = surfaces.first_hits(camera.position(frame), camera.rays(frame, xy))
    u, v = hits.u[hits.hit].astype(float), hits.v[hits.hit].astype(float)
    found = MaterialPoints(hits.triangle[hits.hit], np.stack([1 - u - v, u, v], -1))
    return found[observe(scene, surfaces, found).visible]


def choose_points(
    rng: np.random.Generator, scene: Scene, candidates: list[MaterialPoints], points: int
) -> MaterialPoints:
    """Choose so that no body dominates: 30 % on floor and backdrop, objects by the root of their share."""
    pool = MaterialPoints(
        np.concatenate([some.triangle for some in candidates]),
        np.concatenate([some.weights for some in candidates]),
    )
    bodies = bodies_of_triangles(scene)[pool.triangle]
    chances = _chances(np.bincount(bodies, minlength=len(scene.bodies)))[bodies]
    return pool[rng.choice(len(pool), points, replace=False, p=chances / chances.sum())]


def _chances(counts: np.ndarray) -> np.ndarray:
    """The chance of one candidate by its body, from the number of candidates on each body."""
    surroundings, objects = counts[:FIRST_OBJECT], np.sqrt(counts[FIRST_OBJECT:])
    shares = [
        SURROUNDINGS_SHARE * surroundings / max(surroundings.sum(), 1),
        (1 - SURROUNDINGS_SHARE) * objects / max(objects.sum(), 1),
    ]
    return np.concatenate(shares) / np.maximum(counts, 1)


def observe(scene: Scene, surfaces: Surfaces, points: MaterialPoints) -> Observation:
    """Where the points are in the frame of ``surfaces``, and which of them the camera sees.

    Visible means: inside the image, in front of the camera, on the side of the surface that faces it, and
    the first thing on the ray from the camera.
    """
    corners = surfaces.corners[points.triangle]
    world = np.einsum("nk,nkd->nd", points.weights, corners)
    xy, depth = scene.camera.project(surfaces.frame, world)
    # decide on the values that are stored, or rounding could put a visible point outside
    xy, depth = xy.astype(np.float32), depth.astype(np.float32)
    size = [scene.settings.width, scene.settings.height]
    inside = ((xy >= 0) & (xy < size)).all(axis=1) & (depth > NEAREST_DEPTH)
    return Observation(xy, depth, inside & _unobstructed(scene, surfaces, points, corners, world))


def _unobstructed(
    scene: Scene, surfaces: Surfaces, points: MaterialPoints, corners: np.ndarray, world: np.ndarray
) -> np.ndarray:
    origin = scene.camera.position(surfaces.frame)
    distance = np.linalg.norm(world - origin, axis=1)
    directions = (world - origin) / distance[:, None]
    # the own back hides a point for certain; a ray could miss that on thin parts
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    facing = (normals * directions).sum(axis=1) < 0
    hits = surfaces.first_hits(origin, directions.astype(np.float32))
    itself = hits.triangle == points.triangle
    behind = hits.distance > distance * (1 - RELATIVE_TOLERANCE)
    return facing & (~hits.hit | itself | behind)
