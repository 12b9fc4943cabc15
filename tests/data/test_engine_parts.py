"""The parts of the scene engine."""

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

from cotracker_pipeline.data.engine.camera import Camera, sample_camera
from cotracker_pipeline.data.engine.mipmaps import Mipmaps
from cotracker_pipeline.data.engine.photographs import SETS, SURFACES, photographs
from cotracker_pipeline.data.engine.physics import simulate
from cotracker_pipeline.data.engine.pictures import draw_picture
from cotracker_pipeline.data.engine.presets import SceneSettings
from cotracker_pipeline.data.engine.procedural import PATTERNS, fractal_noise, procedural_texture
from cotracker_pipeline.data.engine.shading import Samples
from cotracker_pipeline.data.engine.shapes import FAMILIES, make_mesh
from cotracker_pipeline.data.engine.surroundings import make_dome, make_floor
from cotracker_pipeline.data.engine.textures import backdrop_texture, floor_texture, object_texture


@pytest.mark.parametrize("family", FAMILIES)
def test_meshes_have_the_size_asked_for_and_look_outwards(family: str) -> None:
    mesh = make_mesh(np.random.default_rng(0), family, radius=0.7)
    assert np.linalg.norm(mesh.vertices, axis=1).max() == pytest.approx(0.7)
    assert mesh.uv.shape == (len(mesh.faces), 3, 2)
    np.testing.assert_allclose(np.linalg.norm(mesh.normals, axis=-1), 1, atol=1e-6)
    assert trimesh.Trimesh(mesh.vertices, mesh.faces, process=False).volume > 0


def test_there_are_twelve_families() -> None:
    assert len(FAMILIES) == 12


@pytest.mark.parametrize("mesh", [make_floor(0.1), make_dome(2)], ids=["floor", "dome"])
def test_surroundings_look_inwards(mesh: object) -> None:
    corners = mesh.vertices[mesh.faces]  # type: ignore[attr-defined]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    towards_camera = np.array([0, 0, 2.0]) - corners.mean(axis=1)
    # the topmost cells of the dome have one triangle without area
    facing = (normals * towards_camera).sum(axis=1)[np.linalg.norm(normals, axis=1) > 1e-9]
    assert (facing > 0).all()


def test_photographs_for_training_and_held_out_share_none() -> None:
    train, held_out = photographs("train"), photographs("held-out")
    assert not set(train) & set(held_out)
    assert {image.tobytes() for image in train.values()}.isdisjoint(
        image.tobytes() for image in held_out.values()
    )
    assert all(SURFACES & set(names) for names in SETS.values())


@pytest.mark.parametrize("draw", [object_texture, floor_texture, backdrop_texture])
def test_textures_wrap_without_a_seam(draw: object) -> None:
    image = draw(np.random.default_rng(5), 64, photographs("train"))  # type: ignore[operator]
    assert image.shape == (64, 64, 3)
    assert image.dtype == np.uint8
    steps = np.abs(np.diff(image.astype(float), axis=0)).mean(axis=(1, 2))
    seam = np.abs(image[0].astype(float) - image[-1]).mean()
    assert seam <= steps.max()


@pytest.mark.parametrize("index", range(len(PATTERNS)))
def test_patterns_fill_the_image(index: int) -> None:
    image = PATTERNS[index](np.random.default_rng(1), 64)
    assert image.shape == (64, 64, 3)
    assert procedural_texture(np.random.default_rng(index), 64).dtype == np.uint8


def test_noise_is_within_bounds() -> None:
    noise = fractal_noise(np.random.default_rng(0), 32, 1.5)
    assert noise.min() == 0
    assert noise.max() == 1


def test_texel_centres_are_read_exactly_and_wrap() -> None:
    texture = np.random.default_rng(0).integers(0, 255, (8, 8, 3)).astype(np.uint8)
    row, column = np.indices((8, 8)).reshape(2, -1)
    u, v = ((axis.astype(np.float32) + 0.5) / 8 + 3 for axis in (column, row))
    none = np.zeros(64, int)
    colours = Mipmaps([texture]).colours(none, u, v, none.astype(np.float32))
    np.testing.assert_allclose(colours.T, texture.reshape(-1, 3), atol=0.01)


def test_far_surfaces_get_the_mean_colour() -> None:
    texture = np.indices((16, 16)).sum(axis=0) % 2 * np.full((3, 1, 1), 200)
    texture = np.ascontiguousarray(np.moveaxis(texture, 0, -1), np.uint8)
    at, level = np.array([[0.3], [2.0]], np.float32)
    colours = Mipmaps([texture]).colours(np.array([0]), at, at, level)
    np.testing.assert_allclose(colours, 100, atol=1)


@pytest.fixture(scope="module")
def camera() -> Camera:
    return sample_camera(np.random.default_rng(2), SceneSettings(frames=5, height=48, width=64))


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 4), st.floats(-50, 110), st.floats(-50, 110), st.floats(0.1, 30))
def test_projection_undoes_rays(camera: Camera, frame: int, x: float, y: float, distance: float) -> None:
    point = camera.position(frame) + distance * camera.rays(frame, np.array([[x, y]])).astype(float)
    xy, depth = camera.project(frame, point)
    np.testing.assert_allclose(xy, [[x, y]], atol=1e-2)
    assert 0 < depth[0] <= distance * (1 + 1e-6)


@pytest.mark.parametrize("mode", ["static", "linear", "pan", "orbit"])
def test_cameras_are_rotations_inside_the_dome(mode: str) -> None:
    path = sample_camera(np.random.default_rng(0), SceneSettings(camera=mode))  # type: ignore[arg-type]
    rotation = path.to_world[:, :3, :3]
    np.testing.assert_allclose(
        rotation @ rotation.transpose(0, 2, 1), np.tile(np.eye(3), (24, 1, 1)), atol=1e-9
    )
    np.testing.assert_allclose(np.linalg.det(rotation), 1)
    assert (np.linalg.norm(path.to_world[:, :3, 3], axis=1) <= 11 + 1e-9).all()
    assert (path.to_world[:, 2, 1] < 0).all(), "the camera's y axis must point down"
    assert path.mode == mode


def test_objects_fall_and_stay_above_the_floor() -> None:
    rng = np.random.default_rng(0)
    radii = np.array([0.5, 0.6, 0.7])
    meshes = [make_mesh(rng, "ellipsoid", radius) for radius in radii]
    poses = simulate(rng, meshes, radii, SceneSettings(frames=40, resting_share=0.0, motion=0.0))
    assert poses.shape == (40, 3, 4, 4)
    assert (poses[-1, :, 2, 3] < poses[0, :, 2, 3]).any()
    lowest = min(
        (mesh.vertices @ pose[:3, :3].T)[:, 2].min() + pose[2, 3]
        for frame in poses
        for mesh, pose in zip(meshes, frame, strict=True)
    )
    assert lowest > -0.2


@pytest.mark.parametrize("antialiasing", [1, 2, 3])
def test_antialiasing_shows_in_pixels_that_an_edge_crosses(antialiasing: int) -> None:
    def look(xy: np.ndarray) -> Samples:
        white = xy[:, 0] > 3.45
        return Samples(np.tile(255.0 * white, (3, 1)).astype(np.float32), np.ones(len(xy)), white.astype(int))

    picture = draw_picture(look, height=4, width=8, antialiasing=antialiasing)
    assert (picture[:, :3] == 0).all()
    assert (picture[:, 4:] == 255).all()
    crossed = {1: 255, 2: 128, 3: 170}[antialiasing]
    assert (picture[:, 3] == crossed).all()
