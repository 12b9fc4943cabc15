"""Rigid-body motion of the objects, simulated by MuJoCo."""

from collections.abc import Sequence

import mujoco
import numpy as np
from scipy.spatial import ConvexHull

from cotracker_pipeline.data.engine.presets import SceneSettings
from cotracker_pipeline.data.engine.shapes import Mesh

STEPS_PER_SECOND = 240
SPAWN_RADIUS, SPAWN_HEIGHT, SPAWN_TRIES = 3.2, 4.0, 60
# enough corners for a contact that looks right, few enough to be fast
HULL_VERTICES = 80
MAX_STEPS_BEFORE_FIRST_FRAME = 40


def simulate(
    rng: np.random.Generator, meshes: Sequence[Mesh], radii: np.ndarray, settings: SceneSettings
) -> np.ndarray:
    """Throw the objects and let them fall, collide and roll.

    radii: (n,) float64, metres, how far each mesh reaches from its centre.
    Returns the object-to-world poses (T, n, 4, 4) float64, metres.
    """
    resting = rng.random(len(meshes)) < settings.resting_share
    positions = _spawn(rng, radii, resting)
    model = _build(rng, meshes, positions, settings)
    data = mujoco.MjData(model)
    for index in np.flatnonzero(~resting):
        _throw(rng, data.qvel[6 * index : 6 * index + 6], positions[index], settings.motion)
    for _ in range(int(rng.integers(MAX_STEPS_BEFORE_FIRST_FRAME))):
        mujoco.mj_step(model, data)
    return _record(model, data, settings)


def _spawn(rng: np.random.Generator, radii: np.ndarray, resting: np.ndarray) -> np.ndarray:
    """Start positions (n, 3), apart from each other if a few tries find such a place."""
    positions = np.zeros((len(radii), 3))
    for index, radius in enumerate(radii):
        for _ in range(SPAWN_TRIES):
            reach, angle = rng.uniform(0, SPAWN_RADIUS), rng.uniform(0, 2 * np.pi)
            height = 1.02 * radius if resting[index] else rng.uniform(radius, SPAWN_HEIGHT)
            positions[index] = reach * np.cos(angle), reach * np.sin(angle), height
            gaps = np.linalg.norm(positions[:index] - positions[index], axis=1) - radii[:index] - radius
            if (gaps > 0).all():
                break
    return positions


def _build(
    rng: np.random.Generator, meshes: Sequence[Mesh], positions: np.ndarray, settings: SceneSettings
) -> mujoco.MjModel:
    spec = mujoco.MjSpec()
    # a whole number of steps a frame
    spec.option.timestep = 1 / (settings.fps * max(1, round(STEPS_PER_SECOND / settings.fps)))
    spec.option.gravity = [0, 0, -settings.gravity]
    floor_friction = [rng.uniform(0.3, 0.9), 0.005, 0.0001]
    spec.worldbody.add_geom(type=mujoco.mjtGeom.mjGEOM_PLANE, size=[20, 20, 1], friction=floor_friction)
    for index, (mesh, position) in enumerate(zip(meshes, positions, strict=True)):
        name = f"object{index}"
        spec.add_mesh(name=name, uservert=_hull(rng, mesh.vertices).ravel().tolist())
        orientation = rng.normal(size=4)
        orientation /= np.linalg.norm(orientation)
        body = spec.worldbody.add_body(name=name, pos=position.tolist(), quat=orientation.tolist())
        body.add_freejoint()
        body.add_geom(
            type=mujoco.mjtGeom.mjGEOM_MESH,
            meshname=name,
            density=rng.uniform(300, 1500),
            friction=[rng.uniform(0.2, 1.0), 0.005, 0.0001],
            # time constant and damping of a contact: how much it bounces
            solref=[rng.uniform(0.02, 0.05), rng.uniform(0.1, 1.0)],
        )
    return spec.compile()


def _hull(rng: np.random.Generator, vertices: np.ndarray) -> np.ndarray:
    corners = vertices[ConvexHull(vertices).vertices]
    if len(corners) > HULL_VERTICES:
        corners = rng.choice(corners, HULL_VERTICES, replace=False)
    return corners


def _throw(rng: np.random.Generator, velocity: np.ndarray, position: np.ndarray, motion: float) -> None:
    """Set the velocity (6,) of a body, m/s and rad/s: towards the middle of the scene, spinning."""
    velocity[:3] = (-position * rng.uniform(0.2, 1.2) + rng.normal(0, 0.8, 3)) * motion
    velocity[3:] = rng.normal(0, 2.5, 3) * motion


def _record(model: mujoco.MjModel, data: mujoco.MjData, settings: SceneSettings) -> np.ndarray:
    poses = np.tile(np.eye(4), (settings.frames, model.nbody - 1, 1, 1))
    steps = round(1 / (settings.fps * model.opt.timestep))
    for pose in poses:
        mujoco.mj_kinematics(model, data)
        # body 0 is the world
        pose[:, :3, :3] = data.xmat[1:].reshape(-1, 3, 3)
        pose[:, :3, 3] = data.xpos[1:]
        mujoco.mj_step(model, data, nstep=steps)
    return poses
