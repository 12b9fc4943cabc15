"""The floor and the backdrop: both real surfaces, so that background points can be tracked."""

import numpy as np

from cotracker_pipeline.data.engine.shapes import Mesh, grid_faces

# the floor reaches beyond the foot of the dome: no ray from inside escapes
FLOOR_HALF_WIDTH = 14.0
DOME_RADIUS = 13.5


def make_floor(repeats_per_metre: float) -> Mesh:
    """A square of 28 m at height 0, looking up."""
    cells = 8
    line = np.linspace(-FLOOR_HALF_WIDTH, FLOOR_HALF_WIDTH, cells + 1)
    x, y = np.meshgrid(line, line, indexing="ij")
    vertices = np.stack([x, y, np.zeros_like(x)], -1).reshape(-1, 3)
    faces = grid_faces(cells + 1, cells + 1, False, False)
    normals = np.broadcast_to([0.0, 0.0, 1.0], (len(faces), 3, 3))
    return Mesh("floor", vertices, faces, vertices[faces][..., :2] * repeats_per_metre, normals, smooth=False)


def make_dome(repeats: int) -> Mesh:
    """The upper half of a sphere, looking inwards; the texture repeats ``repeats`` times around it."""
    columns, rows = 33, 9
    angle, height = np.meshgrid(
        np.linspace(0, 2 * np.pi, columns), np.linspace(-0.02, np.pi / 2, rows), indexing="ij"
    )
    directions = np.stack(
        [np.cos(height) * np.cos(angle), np.cos(height) * np.sin(angle), np.sin(height)], -1
    ).reshape(-1, 3)
    # counted the other way round, so that the faces look inwards
    faces = grid_faces(columns, rows, False, False)[:, ::-1]
    uv = (np.stack([angle, -height], -1) * repeats / (2 * np.pi)).reshape(-1, 2)[faces]
    return Mesh("dome", DOME_RADIUS * directions, faces, uv, -directions[faces], smooth=True)
