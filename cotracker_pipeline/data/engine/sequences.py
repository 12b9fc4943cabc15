"""From a seed to a sequence."""

from functools import partial

import numpy as np

from cotracker_pipeline.data.engine.pictures import draw_picture
from cotracker_pipeline.data.engine.presets import SceneSettings
from cotracker_pipeline.data.engine.raycast import Surfaces, bodies_of_triangles
from cotracker_pipeline.data.engine.scene import FIRST_OBJECT, Scene, sample_scene
from cotracker_pipeline.data.engine.shading import Shader
from cotracker_pipeline.data.engine.shutter import moments
from cotracker_pipeline.data.engine.tracks import (
    MaterialPoints,
    choose_points,
    observe,
    pick_candidates,
    sampled_frames,
)
from cotracker_pipeline.data.store import Sequence


def render_sequence(seed: int, settings: SceneSettings, points: int) -> Sequence:
    """Render one random scene with ``points`` tracks, each visible in one frame at least.

    The same arguments make the same sequence, bit for bit (on one machine with the same packages).
    ``extra`` holds object_id (N,) int16 (0 floor, 1 backdrop), depth (N, T) float32 metres, K (T, 3, 3) and
    cam2world (T, 4, 4) float64.
    """
    scene_stream, point_stream = np.random.default_rng(seed).spawn(2)
    scene = sample_scene(scene_stream, settings)
    shader, chosen = _prepare(point_stream, scene, points)
    video = np.empty((settings.frames, settings.height, settings.width, 3), np.uint8)
    observations, open_shutter = [], moments(scene)
    for frame, picture in enumerate(video):
        surfaces = [Surfaces(moment, frame) for moment in open_shutter]
        picture[:] = _exposed(shader, surfaces, settings)
        observations.append(observe(scene, surfaces[len(surfaces) // 2], chosen))
    return Sequence(
        name=f"scene-{seed}",
        video=video,
        tracks=np.stack([seen.xy for seen in observations], axis=1),
        visible=np.stack([seen.visible for seen in observations], axis=1),
        attrs=_facts(seed, scene),
        extra={
            "object_id": bodies_of_triangles(scene)[chosen.triangle].astype(np.int16),
            "depth": np.stack([seen.depth for seen in observations], axis=1),
            "K": scene.camera.intrinsics,
            "cam2world": scene.camera.to_world,
        },
    )


def _exposed(shader: Shader, exposures: list[Surfaces], settings: SceneSettings) -> np.ndarray:
    """The mean of what the camera sees while the shutter is open: (H, W, 3) uint8."""
    size = settings.height, settings.width, settings.antialiasing
    pictures = [draw_picture(partial(shader.lit, surfaces), *size) for surfaces in exposures]
    return np.rint(np.mean(pictures, axis=0, dtype=np.float32)).astype(np.uint8)


def _prepare(rng: np.random.Generator, scene: Scene, points: int) -> tuple[Shader, MaterialPoints]:
    """Choose the points from a few frames; the exposure is metered in the first of them."""
    candidates, shader = [], None
    for frame in sampled_frames(rng, scene.settings.frames):
        surfaces = Surfaces(scene, frame)
        shader = shader or Shader(scene, surfaces)
        candidates.append(pick_candidates(rng, scene, surfaces, points))
    assert shader is not None
    return shader, choose_points(rng, scene, candidates, points)


def _facts(seed: int, scene: Scene) -> dict[str, int | float | str]:
    deforming = sum(body.deformation is not None for body in scene.bodies)
    return {
        "seed": seed,
        "fps": scene.settings.fps,
        "camera": scene.camera.mode,
        "objects": len(scene.bodies) - FIRST_OBJECT,
        "deforming_objects": deforming,
    }
