"""Procedural meshes: twelve families of objects.

Each family is a function ``(rng) -> (mesh, smooth)`` of about unit size; ``make_mesh`` centres it, scales it
and gives it texture coordinates and normals.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import trimesh
from shapely.geometry import Polygon


@dataclass(frozen=True)
class Mesh:
    """A triangle mesh with attributes per corner, so that texture and shading may jump between faces.

    vertices: (V, 3) float64, metres; faces: (F, 3) int64.
    uv: (F, 3, 2) float64, texture repeats; normals: (F, 3, 3) float64, unit length.
    smooth: whether ``normals`` are interpolated over the surface.
    picture: (height, width, 3) uint8, the image that ``uv`` refers to; ``None``: any texture does.
    """

    family: str
    vertices: np.ndarray
    faces: np.ndarray
    uv: np.ndarray
    normals: np.ndarray
    smooth: bool
    picture: np.ndarray | None = None


Shape = tuple[trimesh.Trimesh, bool]


def make_mesh(rng: np.random.Generator, family: str, radius: float) -> Mesh:
    """A random mesh of ``family`` (a key of ``FAMILIES``), centred, reaching ``radius`` metres from there."""
    shape, smooth = FAMILIES[family](rng)
    return fitted(rng, family, shape, smooth, radius)


def fitted(
    rng: np.random.Generator,
    family: str,
    shape: trimesh.Trimesh,
    smooth: bool,
    radius: float,
    uv: np.ndarray | None = None,
    picture: np.ndarray | None = None,
) -> Mesh:
    """Centre a shape and let it reach ``radius`` metres.

    uv: its own texture coordinates (F, 3, 2), which belong to ``picture``; without them it gets some.
    """
    vertices = shape.vertices - shape.bounds.mean(axis=0)
    vertices *= radius / np.linalg.norm(vertices, axis=1).max()
    shape = trimesh.Trimesh(vertices, shape.faces, process=False)
    faces = np.asarray(shape.faces, np.int64)
    face_normals = np.asarray(shape.face_normals)
    normals = shape.vertex_normals[faces] if smooth else np.repeat(face_normals[:, None], 3, axis=1)
    if uv is None:
        uv = _box_projection(vertices[faces], face_normals) * rng.uniform(0.5, 1.1) / radius + rng.random(2)
    return Mesh(family, np.asarray(vertices), faces, uv, np.asarray(normals), smooth, picture)


def _box_projection(corners: np.ndarray, face_normals: np.ndarray) -> np.ndarray:
    """Project every face along the axis it looks at most: corners (F, 3, 3) -> (F, 3, 2)."""
    axis = np.abs(face_normals).argmax(axis=1)
    others = np.array([[1, 2], [0, 2], [0, 1]])[axis]
    # shift the three sides against each other so that they do not show the same part of the texture
    return np.take_along_axis(corners, others[:, None], axis=2) + 0.37 * axis[:, None, None]


def grid_faces(rows: int, columns: int, wrap_rows: bool, wrap_columns: bool) -> np.ndarray:
    """Two triangles for each cell of a grid of vertices counted row by row -> (F, 3) int64."""
    row, column = np.meshgrid(
        np.arange(rows if wrap_rows else rows - 1),
        np.arange(columns if wrap_columns else columns - 1),
        indexing="ij",
    )
    below, right = (row + 1) % rows, (column + 1) % columns
    a, b = row * columns + column, below * columns + column
    c, d = below * columns + right, row * columns + right
    return np.stack([a, b, c, a, c, d], -1).reshape(-1, 3)


def _box(rng: np.random.Generator) -> Shape:
    # here and below: subdivided, because a shape without vertices between its ends cannot bend
    return trimesh.creation.box(extents=rng.uniform(0.6, 1.4, 3)).subdivide().subdivide(), False


def _ellipsoid(rng: np.random.Generator) -> Shape:
    sphere = trimesh.creation.icosphere(subdivisions=3)
    sphere.vertices = sphere.vertices * rng.uniform(0.6, 1.3, 3)
    return sphere, True


def _cylinder(rng: np.random.Generator) -> Shape:
    radius, height = rng.uniform(0.3, 0.6), rng.uniform(0.4, 1.4)
    return trimesh.creation.cylinder(radius=radius, height=height, sections=40).subdivide(), False


def _capsule(rng: np.random.Generator) -> Shape:
    radius, height = rng.uniform(0.25, 0.45), rng.uniform(0.5, 1.1)
    return trimesh.creation.capsule(radius=radius, height=height, count=[16, 24]), True


def _cone(rng: np.random.Generator) -> Shape:
    radius, height = rng.uniform(0.4, 0.7), rng.uniform(0.7, 1.3)
    return trimesh.creation.cone(radius=radius, height=height, sections=40).subdivide(), False


def _torus(rng: np.random.Generator) -> Shape:
    thickness = rng.uniform(0.12, 0.28)
    return trimesh.creation.torus(0.55, thickness, major_sections=40, minor_sections=16), True


def _knot(rng: np.random.Generator) -> Shape:
    """A tube along a torus knot."""
    around, through = [(2, 3), (3, 2), (2, 5), (3, 4)][rng.integers(4)]
    rings, sides = 150, 10
    t = np.linspace(0, 2 * np.pi, rings, endpoint=False)
    reach = 2 + np.cos(through * t)
    centre = 0.22 * np.stack(
        [reach * np.cos(around * t), reach * np.sin(around * t), -np.sin(through * t)], -1
    )
    along = _unit(np.roll(centre, -1, axis=0) - np.roll(centre, 1, axis=0))
    side = _unit(np.cross(along, [0.0, 0.0, 1.0]))
    up = np.cross(along, side)
    angle = np.linspace(0, 2 * np.pi, sides, endpoint=False)[:, None]
    ring = np.cos(angle) * side[:, None] + np.sin(angle) * up[:, None]
    vertices = (centre[:, None] + rng.uniform(0.07, 0.13) * ring).reshape(-1, 3)
    return outward(vertices, grid_faces(rings, sides, True, True))[0], True


def _superquadric(rng: np.random.Generator) -> Shape:
    first, second = rng.uniform(0.25, 1.8, 2)
    sphere = trimesh.creation.icosphere(subdivisions=3)
    x, y, z = sphere.vertices.T
    latitude, longitude = np.arcsin(np.clip(z, -1, 1)), np.arctan2(y, x)
    ring = _signed_power(np.cos(latitude), first)
    vertices = [
        ring * _signed_power(np.cos(longitude), second),
        ring * _signed_power(np.sin(longitude), second),
        _signed_power(np.sin(latitude), first),
    ]
    sphere.vertices = np.stack(vertices, -1) * rng.uniform(0.4, 0.7, 3)
    return sphere, True


def _gear(rng: np.random.Generator) -> Shape:
    teeth = int(rng.integers(5, 12))
    step = np.arange(4 * teeth)
    angle = step * 2 * np.pi / len(step)
    radius = np.where(step // 2 % 2 == 0, 0.65, rng.uniform(0.35, 0.55))
    outline = Polygon(np.stack([radius * np.cos(angle), radius * np.sin(angle)], -1))
    disc = trimesh.creation.extrude_polygon(outline, rng.uniform(0.2, 0.6), engine="earcut")
    return disc.subdivide(), False


def _blob(rng: np.random.Generator) -> Shape:
    sphere = trimesh.creation.icosphere(subdivisions=3, radius=0.6)
    vertices = np.asarray(sphere.vertices)
    for _ in range(4):
        wave = np.sin(vertices @ rng.normal(0, 3, 3) + rng.uniform(0, 6))
        vertices = vertices * (1 + rng.uniform(0.05, 0.15) * wave)[:, None]
    sphere.vertices = vertices
    return sphere, True


def _lathe(rng: np.random.Generator) -> Shape:
    """A turned profile with closed ends."""
    steps, sides = 18, 32
    z = np.linspace(-0.7, 0.7, steps)
    radius = 0.3 + 0.12 * np.sin(z * rng.uniform(2, 6) + rng.uniform(0, 6))
    radius += 0.08 * np.sin(z * 9 + rng.uniform(0, 6))
    radius[[0, -1]] = 1e-3
    z[[0, -1]] = z[[1, -2]]
    angle = np.linspace(0, 2 * np.pi, sides, endpoint=False)[:, None]
    vertices = np.stack(np.broadcast_arrays(radius * np.cos(angle), radius * np.sin(angle), z), -1)
    return outward(vertices.reshape(-1, 3), grid_faces(sides, steps, True, False))[0], True


def _polyhedron(rng: np.random.Generator) -> Shape:
    return trimesh.convex.convex_hull(rng.normal(0, 0.45, (int(rng.integers(8, 24)), 3))), False


def outward(vertices: np.ndarray, faces: np.ndarray) -> tuple[trimesh.Trimesh, bool]:
    """A mesh whose faces look outwards, and whether they had to be turned over for that."""
    mesh = trimesh.Trimesh(vertices, faces, process=False)
    turned = bool(mesh.volume < 0)
    if turned:
        mesh.invert()
    return mesh, turned


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def _signed_power(value: np.ndarray, exponent: float) -> np.ndarray:
    return np.sign(value) * np.abs(value) ** exponent


FAMILIES: dict[str, Callable[[np.random.Generator], Shape]] = {
    "box": _box,
    "ellipsoid": _ellipsoid,
    "cylinder": _cylinder,
    "capsule": _capsule,
    "cone": _cone,
    "torus": _torus,
    "knot": _knot,
    "superquadric": _superquadric,
    "gear": _gear,
    "blob": _blob,
    "lathe": _lathe,
    "polyhedron": _polyhedron,
}
