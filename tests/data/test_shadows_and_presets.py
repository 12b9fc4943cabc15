"""What scenes show: shadows where the sun is hidden; all presets; the published length and size."""

from dataclasses import replace

import numpy as np
import pytest

from cotracker_pipeline.data.engine import PRESETS, SceneSettings, render_sequence
from cotracker_pipeline.data.engine.raycast import Surfaces
from cotracker_pipeline.data.engine.scene import FIRST_OBJECT, Scene, sample_scene
from cotracker_pipeline.data.engine.shading import SHOULDER, Shader

FLOOR = 0
CHEAP = {"texture_size": 64, "antialiasing": 1}
MIDDLE = 5.0  # metres around the origin
LYING = SceneSettings(frames=1, height=96, width=128, objects=(8, 8), resting_share=1.0, texture_size=64)


def covered(scene: Scene, points: np.ndarray) -> np.ndarray:
    """Which ``points`` (M, 3) have an object between them and the sun, by solving for each triangle."""
    sun, hidden = scene.light.sun_direction, np.zeros(len(points), bool)
    for index in range(FIRST_OBJECT, len(scene.bodies)):
        corners = scene.vertices(index, 0)[scene.bodies[index].mesh.faces]
        start, one, two = corners[:, 0], corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
        across = np.cross(sun, two)
        scale = (one * across).sum(-1)
        scale = np.where(np.abs(scale) < 1e-12, np.inf, scale)
        away = points[:, None] - start
        u = (away * across).sum(-1) / scale
        turned = np.cross(away, one)
        v, distance = turned @ sun / scale, (turned * two).sum(-1) / scale
        hidden |= ((u >= 0) & (v >= 0) & (u + v <= 1) & (distance > 1e-3)).any(axis=1)
    return hidden


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_floor_is_dark_where_an_object_hides_the_sun_and_nowhere_else(seed: int) -> None:
    scene = sample_scene(np.random.default_rng(seed), LYING)
    surfaces = Surfaces(scene, 0)
    shader = Shader(scene, surfaces)
    xy = (np.indices((LYING.width // 2, LYING.height // 2)).reshape(2, -1).T + 0.5) * 2
    lit, bare = shader.lit(surfaces, xy), shader.unlit(surfaces, xy)
    rays = scene.camera.rays(0, xy).astype(float)
    along = bare.depth / (rays @ scene.camera.to_world[0, :3, 2])
    points = scene.camera.position(0) + rays * along[:, None]
    # the backdrop, too, hides the sun from the floor at its foot
    shown = (bare.body == FLOOR) & (np.linalg.norm(points, axis=1) < MIDDLE) & (bare.colour.min(axis=0) > 20)
    # brighter colours are compressed
    shown &= lit.colour.max(axis=0) < 255 * SHOULDER
    dark = covered(scene, points[shown])
    light = lit.colour[:, shown].mean(axis=0) / bare.colour[:, shown].mean(axis=0)
    between = (np.median(light[dark]) + np.median(light[~dark])) / 2
    assert min(dark.sum(), (~dark).sum()) > 30
    assert np.median(light[dark]) < 0.85 * np.median(light[~dark])
    assert ((light < between) == dark).mean() > 0.99


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_rendered(name: str) -> None:
    settings = replace(PRESETS[name], frames=4, height=32, width=48, **CHEAP)
    sequence = render_sequence(1, settings, 32)
    least, most = settings.objects
    assert least <= sequence.attrs["objects"] <= most
    assert sequence.visible.any(axis=1).all()
    assert (sequence.video[0] != sequence.video[-1]).any()
    assert name != "panning" or sequence.attrs["camera"] == "pan"


@pytest.mark.parametrize(("frames", "height", "width"), [(120, 24, 32), (2, 384, 512)])
def test_as_long_and_as_large_as_published(frames: int, height: int, width: int) -> None:
    settings = replace(PRESETS["kubric"], frames=frames, height=height, width=width, **CHEAP)
    sequence = render_sequence(2, settings, 64)
    assert sequence.video.shape == (frames, height, width, 3)
    assert sequence.tracks.shape == (64, frames, 2)
    assert np.abs(np.diff(sequence.video.astype(np.int16), axis=0)).max(axis=(1, 2, 3)).min() > 0
