"""The user's own objects: mesh files, with their textures if they have any."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import trimesh

from cotracker_pipeline.data.engine.own_files import files_in
from cotracker_pipeline.data.engine.shapes import Mesh, fitted, outward
from cotracker_pipeline.errors import UserError

SUFFIXES = frozenset({".glb", ".obj", ".off", ".ply", ".stl"})
KEPT = 64
# radians: a mesh whose neighbouring faces differ by less on average is meant to look round
ROUND = 0.35
# thinner than this share of its length, a thing has no volume that could be simulated
THINNEST = 1e-3


@dataclass(frozen=True)
class _Object:
    """A mesh file: its shape, and texture coordinates (F, 3, 2) and image where it brings both."""

    shape: trimesh.Trimesh
    uv: np.ndarray | None
    picture: np.ndarray | None


def draw_meshes(rng: np.random.Generator, radii: np.ndarray, folder: str) -> list[Mesh]:
    """Draw one file of ``folder`` for each of ``radii``, metres.

    Raises ``UserError`` when there is no mesh file, or one is no solid object.
    """
    paths = files_in(folder, SUFFIXES)
    return [_mesh(rng, str(paths[rng.integers(len(paths))]), radius) for radius in radii]


def _mesh(rng: np.random.Generator, path: str, radius: float) -> Mesh:
    thing = _read(path)
    angles = thing.shape.face_adjacency_angles
    smooth = bool(len(angles)) and float(angles.mean()) < ROUND
    return fitted(rng, path, thing.shape, smooth, radius, thing.uv, thing.picture)


@lru_cache(KEPT)
def _read(path: str) -> _Object:
    try:
        mesh = trimesh.load_mesh(path, process=False)
    # each format has errors of its own
    except Exception as error:
        raise UserError(f"{path}: cannot be read as a mesh ({error}); mend or remove it") from error
    vertices, faces = np.asarray(mesh.vertices, float), np.asarray(mesh.faces)
    _require_solid(path, vertices, faces)
    uv, picture = _appearance(mesh.visual)
    # files repeat a vertex for each of its texture coordinates: joined, or the surface could not look round
    joined, place = np.unique(vertices, axis=0, return_inverse=True)
    joined_faces = place.reshape(-1)[faces]
    areas = np.linalg.norm(np.cross(*np.diff(joined[joined_faces], axis=1).swapaxes(0, 1)), axis=-1)
    keep = areas > 0
    shape, turned = outward(joined, joined_faces[keep])
    corners = None if uv is None else uv[faces[keep]]
    if corners is not None and turned:
        corners = corners[:, ::-1]
    return _Object(shape, corners, picture)


def _require_solid(path: str, vertices: np.ndarray, faces: np.ndarray) -> None:
    if len(faces) < 4 or not np.isfinite(vertices).all():
        raise UserError(f"{path}: has no surface of finite triangles; mend or remove it")
    thickness, _, length = np.sqrt(np.maximum(np.linalg.eigvalsh(np.cov(vertices.T)), 0))
    if thickness <= THINNEST * length:
        raise UserError(f"{path}: is flat, and only solid objects can fall and roll; mend or remove it")


def _appearance(visual: Any) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Texture coordinates of the vertices (V, 2) and the image; both or neither."""
    uv, material = getattr(visual, "uv", None), getattr(visual, "material", None)
    image = getattr(material, "image", None) or getattr(material, "baseColorTexture", None)
    if uv is None or image is None:
        return None, None
    # files count v from the lower edge
    return np.stack([uv[:, 0], 1 - uv[:, 1]], -1), np.asarray(image.convert("RGB"))
