"""A scene: what there is, how it looks, how it moves."""

from dataclasses import dataclass

import numpy as np

from cotracker_pipeline.data.engine import textures
from cotracker_pipeline.data.engine.camera import Camera, sample_camera
from cotracker_pipeline.data.engine.deformation import Deformation, deform, sample_deformation
from cotracker_pipeline.data.engine.own_images import ImageFolder
from cotracker_pipeline.data.engine.own_meshes import draw_meshes
from cotracker_pipeline.data.engine.photographs import photographs
from cotracker_pipeline.data.engine.physics import simulate
from cotracker_pipeline.data.engine.presets import SceneSettings
from cotracker_pipeline.data.engine.shapes import FAMILIES, Mesh, make_mesh
from cotracker_pipeline.data.engine.surroundings import make_dome, make_floor

# bodies 0 and 1 are floor and backdrop, the objects follow
FIRST_OBJECT = 2


@dataclass(frozen=True)
class Body:
    """Something with a surface.

    texture: (S, S, 3) uint8, S a power of two; poses: (T, 4, 4) float64, object to world, metres.
    gloss: strength and exponent of the highlight; glow: brightness without light, 0 for lit surfaces.
    """

    mesh: Mesh
    texture: np.ndarray
    poses: np.ndarray
    gloss: tuple[float, float] = (0.0, 1.0)
    glow: float = 0.0
    deformation: Deformation | None = None


@dataclass(frozen=True)
class Light:
    """The sun and the light of sky and ground: sun_direction (3,) points to it; colours (3,), 1 is full."""

    sun_direction: np.ndarray
    sun: np.ndarray
    sky: np.ndarray
    ground: np.ndarray


@dataclass(frozen=True)
class Scene:
    """Everything that a picture needs; body 0 is the floor, body 1 the backdrop.

    delay: the time that has passed at each frame since its own moment, in frames.
    """

    settings: SceneSettings
    bodies: tuple[Body, ...]
    camera: Camera
    light: Light
    delay: float = 0.0

    def vertices(self, body: int, frame: int) -> np.ndarray:
        """Where the vertices of a body are in a frame: (V, 3) float64, world, metres."""
        thing = self.bodies[body]
        local = thing.mesh.vertices
        if thing.deformation is not None:
            local = deform(local, thing.deformation, (frame + self.delay) / self.settings.fps)
        pose = thing.poses[frame]
        return local @ pose[:3, :3].T + pose[:3, 3]


def sample_scene(rng: np.random.Generator, settings: SceneSettings) -> Scene:
    """A random scene; the same state of ``rng`` makes the same scene."""
    # one stream for each part: a change to one leaves the others as they were
    objects, world, camera, light = rng.spawn(4)
    bodies = (*_surroundings(world, settings), *_objects(objects, settings))
    return Scene(settings, bodies, sample_camera(camera, settings), _sample_light(light))


def _surroundings(rng: np.random.Generator, settings: SceneSettings) -> tuple[Body, Body]:
    photos, size = _photographs(settings), 2 * settings.texture_size
    still = np.broadcast_to(np.eye(4), (settings.frames, 4, 4))
    floor = make_floor(repeats_per_metre=rng.uniform(0.045, 0.11))
    dome = make_dome(repeats=int(rng.integers(2, 4)))
    return (
        Body(floor, textures.floor_texture(rng, size, photos), still),
        Body(dome, textures.backdrop_texture(rng, size, photos), still, glow=rng.uniform(0.75, 1.0)),
    )


def _objects(rng: np.random.Generator, settings: SceneSettings) -> list[Body]:
    photos = _photographs(settings)
    count = int(rng.integers(settings.objects[0], settings.objects[1] + 1))
    radii = rng.uniform(0.35, 1.0, count)
    meshes = _meshes(rng, radii, settings)
    poses = simulate(rng, meshes, radii, settings)
    return [
        Body(
            mesh,
            _texture(rng, mesh, photos, settings),
            poses[:, index],
            gloss=(rng.choice([0.0, 0.15, 0.5]), rng.uniform(8, 80)),
            deformation=_maybe_deforming(rng, radii[index], settings.deforming_share),
        )
        for index, mesh in enumerate(meshes)
    ]


def _meshes(rng: np.random.Generator, radii: np.ndarray, settings: SceneSettings) -> list[Mesh]:
    if settings.mesh_folder is not None:
        return draw_meshes(rng, radii, settings.mesh_folder)
    families = rng.choice(list(FAMILIES), len(radii))
    return [make_mesh(rng, family, radius) for family, radius in zip(families, radii, strict=True)]


def _texture(
    rng: np.random.Generator, mesh: Mesh, photos: textures.Photographs, settings: SceneSettings
) -> np.ndarray:
    if mesh.picture is not None:
        return textures.own_texture(mesh.picture, settings.texture_size)
    return textures.object_texture(rng, settings.texture_size, photos)


def _photographs(settings: SceneSettings) -> textures.Photographs:
    if settings.texture_folder is not None:
        return ImageFolder(settings.texture_folder)
    return photographs(settings.textures)


def _maybe_deforming(rng: np.random.Generator, radius: float, share: float) -> Deformation | None:
    return sample_deformation(rng, radius) if rng.random() < share else None


def _sample_light(rng: np.random.Generator) -> Light:
    direction = rng.normal(size=3)
    direction[2] = abs(direction[2]) + 0.8
    # a warm sun has a cold sky
    warmth = rng.uniform(-0.12, 0.12)
    return Light(
        sun_direction=direction / np.linalg.norm(direction),
        sun=rng.uniform(0.6, 1.1) * np.array([1 + warmth, 1, 1 - warmth]),
        sky=rng.uniform(0.35, 0.6) * np.array([1 - warmth, 1, 1 + warmth]),
        ground=np.full(3, rng.uniform(0.1, 0.3)),
    )
