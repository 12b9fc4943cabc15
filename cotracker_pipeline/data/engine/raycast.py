"""The surfaces of a scene in one frame, and rays against them (Embree)."""

from dataclasses import dataclass

import numpy as np
from embreex.mesh_construction import TriangleMesh
from embreex.rtcore_scene import EmbreeScene

from cotracker_pipeline.data.engine.scene import Body, Scene

SUN_REACH = 9.0
# shadow rays start this far off the surface, or it would shade itself (metres)
LIFT = 2e-3


@dataclass(frozen=True)
class Hits:
    """The first surface on each of M rays; vectors are (3, M), so that numpy works on contiguous rows.

    hit: (M,) bool; where it is False the other values mean nothing.
    triangle: (M,) int64; u, v: (M,) float32, weights of the triangle's second and third corner.
    distance: (M,) float32, metres; facing: (3, M) float32, unit normal of the triangle towards the ray.
    slant: (M,) float32, cosine between ray and normal, 0..1.
    """

    hit: np.ndarray
    triangle: np.ndarray
    u: np.ndarray
    v: np.ndarray
    distance: np.ndarray
    facing: np.ndarray
    slant: np.ndarray


class Surfaces:
    """All triangles of a scene in one frame, body after body.

    camera: of the scene; corners: (F, 3, 3) float64, world, metres;
    normals: (9, F) float32, x y z of the three corners' normals.
    """

    def __init__(self, scene: Scene, frame: int) -> None:
        corners, normals = [], []
        for index, body in enumerate(scene.bodies):
            vertices = scene.vertices(index, frame)
            corners.append(vertices[body.mesh.faces])
            normals.append(_normals(body, frame, vertices, corners[-1]))
        self.frame = frame
        self.camera = scene.camera
        self.corners = np.concatenate(corners)
        self.normals = np.concatenate(normals).reshape(-1, 9).T.astype(np.float32)
        self._embree = EmbreeScene()
        TriangleMesh(self._embree, self.corners.astype(np.float32))

    def first_hits(self, origin: np.ndarray, directions: np.ndarray) -> Hits:
        """Cast rays from ``origin`` (3,) along unit ``directions`` (M, 3) float32."""
        origins = np.tile(origin.astype(np.float32), (len(directions), 1))
        found = self._embree.run(origins, directions, output=True)
        rays, normals = directions.T, np.ascontiguousarray(found["Ng"].T)
        across = dot(normals, rays)
        per_length = np.sqrt(dot(normals, normals)) + np.float32(1e-20)
        return Hits(
            hit=found["primID"] >= 0,
            triangle=np.maximum(found["primID"], 0).astype(np.int64),
            u=found["u"],
            v=found["v"],
            distance=found["tfar"],
            facing=normals * (-np.sign(across) / per_length),
            slant=np.abs(across) / per_length,
        )

    def in_shadow(self, points: np.ndarray, facing: np.ndarray, sun_direction: np.ndarray) -> np.ndarray:
        """Whether something stands between surface ``points`` (3, M) and the sun -> (M,) bool.

        facing: (3, M) float32, unit normals on the side from which the points are seen.
        """
        origins = np.ascontiguousarray((points + np.float32(LIFT) * facing).T, np.float32)
        directions = np.tile(sun_direction.astype(np.float32), (len(origins), 1))
        reach = np.full(len(origins), SUN_REACH, np.float32)
        return self._embree.run(origins, directions, dists=reach, query="OCCLUDED") != -1


def bodies_of_triangles(scene: Scene) -> np.ndarray:
    """The body that each triangle belongs to: (F,) int64."""
    return np.repeat(np.arange(len(scene.bodies)), [len(body.mesh.faces) for body in scene.bodies])


def dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Dot products of (3, M) vectors -> (M,)."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def _normals(body: Body, frame: int, vertices: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Unit normals (F, 3, 3) at the corners of a body's triangles, in the world."""
    if body.deformation is None:
        return body.mesh.normals @ body.poses[frame, :3, :3].T
    # as long as the triangle is large, so that large triangles count more at a shared vertex
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    if body.mesh.smooth:
        summed = np.zeros_like(vertices)
        for corner in body.mesh.faces.T:
            np.add.at(summed, corner, normals)
        normals = summed[body.mesh.faces]
    else:
        normals = np.repeat(normals[:, None], 3, axis=1)
    return normals / (np.linalg.norm(normals, axis=-1, keepdims=True) + 1e-12)
