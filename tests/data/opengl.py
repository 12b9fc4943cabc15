"""Scenes drawn by MuJoCo's OpenGL renderer, which shares nothing with the engine but the triangles.

As a script it prints how far its buffers confirm the engine's tracks; it is a process of its own because the
kind of OpenGL is chosen once, before MuJoCo is imported:

    MUJOCO_GL=egl python tests/data/opengl.py --scenes 6
"""

import argparse
import json
from dataclasses import dataclass, field, replace

import mujoco
import numpy as np
from scipy.ndimage import maximum_filter, minimum_filter

from cotracker_pipeline.data.coordinates import index_to_raster
from cotracker_pipeline.data.engine import PRESETS, SceneSettings
from cotracker_pipeline.data.engine.raycast import Surfaces, bodies_of_triangles
from cotracker_pipeline.data.engine.scene import Scene, sample_scene
from cotracker_pipeline.data.engine.tracks import NEAREST_DEPTH, choose_points, observe, pick_candidates

POINTS, EVERY = 1500, 3
SHIFTS = (-0.25, 0.0, 0.25)
# a point counts as hidden if what OpenGL shows there is nearer than this share of its depth
NEARER = 0.997


@dataclass
class Counts:
    """How many points there were, and how many of them OpenGL confirms.

    wrong_pixels: those in which the engine sees another body when it looks past their centres by ``SHIFTS``,
        in x and in y.
    """

    visible: int = 0
    clear: int = 0
    clear_confirmed: int = 0
    hidden: int = 0
    hidden_confirmed: int = 0
    pixels: int = 0
    wrong_pixels: list[list[int]] = field(default_factory=lambda: [[0] * len(SHIFTS) for _ in range(2)])


def buffers(scene: Scene, frame: int) -> tuple[np.ndarray, np.ndarray]:
    """What OpenGL draws of a frame: body (H, W) int, -1 where there is none, and depth (H, W), metres."""
    model = _model(scene, frame)
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    with mujoco.Renderer(model, scene.settings.height, scene.settings.width) as renderer:
        renderer.update_scene(data, "camera")
        renderer.enable_depth_rendering()
        depth = renderer.render().copy()
        renderer.disable_depth_rendering()
        renderer.enable_segmentation_rendering()
        number, kind = np.moveaxis(renderer.render(), -1, 0)
        return np.where(kind == int(mujoco.mjtObj.mjOBJ_GEOM), number, -1), depth


def _model(scene: Scene, frame: int) -> mujoco.MjModel:
    """All bodies as they are in the frame, without movement, and the camera."""
    spec = mujoco.MjSpec()
    spec.visual.global_.offwidth, spec.visual.global_.offheight = scene.settings.width, scene.settings.height
    spec.visual.quality.offsamples = 0
    spec.stat.extent = 1.0
    spec.visual.map.znear, spec.visual.map.zfar = 0.02, 60.0
    for index, body in enumerate(scene.bodies):
        spec.add_mesh(
            name=f"body{index}",
            uservert=scene.vertices(index, frame).ravel().tolist(),
            userface=body.mesh.faces.ravel().tolist(),
            # floor and backdrop have no volume
            inertia=mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL,
        )
        spec.worldbody.add_geom(
            type=mujoco.mjtGeom.mjGEOM_MESH, meshname=f"body{index}", contype=0, conaffinity=0
        )
    focal, pose = scene.camera.intrinsics[frame, 1, 1], scene.camera.to_world[frame]
    orientation = np.zeros(4)
    # OpenGL's cameras have y up and look along -z
    mujoco.mju_mat2Quat(orientation, (pose[:3, :3] * [1, -1, -1]).ravel())
    spec.worldbody.add_camera(
        name="camera",
        fovy=np.degrees(2 * np.arctan(scene.settings.height / 2 / focal)),
        pos=pose[:3, 3].tolist(),
        quat=orientation.tolist(),
    )
    return spec.compile()


def compare(seed: int, settings: SceneSettings, counts: Counts) -> None:
    """Add what one scene says."""
    rng = np.random.default_rng(seed)
    scene = sample_scene(rng, settings)
    surfaces = [Surfaces(scene, frame) for frame in range(0, settings.frames, EVERY)]
    points = choose_points(rng, scene, [pick_candidates(rng, scene, surfaces[0], POINTS)], POINTS)
    own = bodies_of_triangles(scene)[points.triangle]
    size = np.array([settings.width, settings.height])
    for here in surfaces:
        body, depth = buffers(scene, here.frame)
        seen = observe(scene, here, points)
        inside = ((seen.xy >= 0) & (seen.xy < size)).all(axis=1) & (seen.depth > NEAREST_DEPTH)
        pixel = np.clip(np.floor(seen.xy), 0, size - 1).astype(int)
        at = pixel[:, 1], pixel[:, 0]
        clear = seen.visible & (minimum_filter(body, 3) == maximum_filter(body, 3))[at]
        counts.visible += int(seen.visible.sum())
        counts.clear += int(clear.sum())
        counts.clear_confirmed += int((body[at] == own)[clear].sum())
        hidden = inside & ~seen.visible
        counts.hidden += int(hidden.sum())
        nearer = minimum_filter(depth, 3)[at] < NEARER * seen.depth
        counts.hidden_confirmed += int((nearer | (body[at] != own))[hidden].sum())
        for axis, shifts in enumerate(counts.wrong_pixels):
            for number, shift in enumerate(SHIFTS):
                shifts[number] += _wrong_pixels(scene, here, body, shift * np.eye(2)[axis])
        counts.pixels += body.size


def _wrong_pixels(scene: Scene, surfaces: Surfaces, body: np.ndarray, shift: np.ndarray) -> int:
    """Pixels where the engine sees another body than OpenGL when it looks past their centres by ``shift``."""
    centres = index_to_raster(np.stack(np.indices(body.shape)[::-1], -1).reshape(-1, 2)) + shift
    hits = surfaces.first_hits(
        scene.camera.position(surfaces.frame), scene.camera.rays(surfaces.frame, centres)
    )
    return int((bodies_of_triangles(scene)[hits.triangle] != body.ravel()).sum())


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--scenes", type=int, default=6)
    parser.add_argument("--size", type=int, default=256)
    arguments = parser.parse_args()
    counts = Counts()
    for seed in range(arguments.scenes):
        compare(seed, replace(PRESETS["kubric"], height=arguments.size, width=arguments.size), counts)
    print(json.dumps(vars(counts)))


if __name__ == "__main__":
    main()
