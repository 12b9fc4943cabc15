"""Motion blur: what moves is seen at several moments while the shutter is open."""

from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from cotracker_pipeline.data.engine.scene import Body, Scene

MOMENTS = 7


def moments(scene: Scene) -> list[Scene]:
    """The scene at an odd number of times while the shutter is open; the middle one is the scene itself."""
    if scene.settings.motion_blur == 0:
        return [scene]
    steps = (np.arange(MOMENTS) + 0.5) / MOMENTS - 0.5
    return [delayed(scene, delay) if delay else scene for delay in steps * scene.settings.motion_blur]


def delayed(scene: Scene, delay: float) -> Scene:
    """The scene in which each frame shows what comes ``delay`` frames later, -1 to 1.

    Between two frames poses are interpolated; before the first and after the last everything stands still.
    """
    last = scene.settings.frames - 1
    times = np.clip(np.arange(last + 1) + delay, 0, last)
    camera = replace(
        scene.camera,
        intrinsics=_blended(scene.camera.intrinsics, times),
        to_world=_poses(scene.camera.to_world, times),
    )
    bodies = tuple(_delayed_body(body, times) for body in scene.bodies)
    return replace(scene, bodies=bodies, camera=camera, delay=delay)


def _delayed_body(body: Body, times: np.ndarray) -> Body:
    return replace(body, poses=_poses(body.poses, times))


def _poses(poses: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Poses (T, 4, 4) at ``times`` (T,) counted in frames."""
    moved = _blended(poses, times)
    if len(poses) > 1:
        turns = Slerp(np.arange(len(poses)), Rotation.from_matrix(poses[:, :3, :3]))
        moved[:, :3, :3] = turns(times).as_matrix()
    return moved


def _blended(values: np.ndarray, times: np.ndarray) -> np.ndarray:
    before = np.floor(times).astype(int)
    after = np.minimum(before + 1, len(values) - 1)
    share = (times - before)[:, None, None]
    return values[before] * (1 - share) + values[after] * share
