"""Textures and objects of the user's own."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import trimesh
from PIL import Image

from cotracker_pipeline.data.engine import SceneSettings, render_sequence
from cotracker_pipeline.data.engine.own_images import ImageFolder
from cotracker_pipeline.data.engine.own_meshes import draw_meshes
from cotracker_pipeline.data.engine.scene import FIRST_OBJECT, sample_scene
from cotracker_pipeline.errors import UserError

SMALL = SceneSettings(frames=3, height=48, width=64, objects=(2, 3), texture_size=64, antialiasing=1)


def save_image(path: Path, colour: tuple[int, int, int], size: tuple[int, int] = (40, 60)) -> None:
    """Noise around ``colour``, which textures must have."""
    noise = np.random.default_rng(0).integers(-60, 60, (*size, 1))
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)[..., ::-1])


def textured(shape: trimesh.Trimesh) -> trimesh.Trimesh:
    """``shape`` with texture coordinates that are its x and y, and an image of two colours."""
    picture = np.zeros((8, 16, 3), np.uint8)
    picture[:, :8], picture[:, 8:] = (255, 0, 0), (0, 0, 255)
    uv = shape.vertices[:, :2] + 0.5
    material = trimesh.visual.material.SimpleMaterial(image=Image.fromarray(picture))
    shape.visual = trimesh.visual.TextureVisuals(uv=uv, material=material)
    return shape


def test_images_are_found_at_any_depth_and_read_in_rgb(tmp_path: Path) -> None:
    save_image(tmp_path / "one.PNG", (200, 100, 60))
    save_image(tmp_path / "deeper" / "two.jpg", (60, 100, 200))
    (tmp_path / "notes.txt").write_text("no image")
    images = ImageFolder(str(tmp_path))
    assert len(images) == 2
    for path, image in images.items():
        assert (image.mean(axis=(0, 1)).argmax() == 0) == path.endswith("PNG")
        assert image.shape == (40, 60, 3)


def test_large_images_are_shrunk(tmp_path: Path) -> None:
    save_image(tmp_path / "large.png", (100, 100, 100), (1500, 3000))
    (image,) = ImageFolder(str(tmp_path)).values()
    assert image.shape == (1024, 2048, 3)


def test_own_images_are_used_and_change_nothing_else(tmp_path: Path) -> None:
    save_image(tmp_path / "one.png", (200, 100, 60))
    save_image(tmp_path / "two.png", (120, 120, 120), (500, 300))
    plain, own = (
        sample_scene(np.random.default_rng(1), settings)
        for settings in (SMALL, replace(SMALL, texture_folder=str(tmp_path)))
    )
    assert (plain.bodies[0].texture != own.bodies[0].texture).any()
    np.testing.assert_array_equal(plain.camera.to_world, own.camera.to_world)
    for one, other in zip(plain.bodies[FIRST_OBJECT:], own.bodies[FIRST_OBJECT:], strict=True):
        np.testing.assert_array_equal(one.poses, other.poses)


@pytest.mark.parametrize("ending", ["obj", "ply", "stl", "off", "glb"])
def test_own_objects_have_the_size_asked_for_and_look_outwards(ending: str, tmp_path: Path) -> None:
    shape = trimesh.creation.torus(3.0, 1.0, major_sections=24, minor_sections=12)
    shape.apply_translation([10, 0, 0])
    shape.export(tmp_path / f"ring.{ending}")
    (mesh,) = draw_meshes(np.random.default_rng(0), np.array([0.7]), str(tmp_path))
    assert np.linalg.norm(mesh.vertices, axis=1).max() == pytest.approx(0.7)
    assert np.abs(mesh.vertices.mean(axis=0)).max() < 0.05
    assert len(mesh.vertices) == len(shape.vertices)
    assert len(mesh.faces) == len(shape.faces)
    assert trimesh.Trimesh(mesh.vertices, mesh.faces, process=False).volume > 0
    assert mesh.smooth


def test_corners_of_a_box_stay_sharp(tmp_path: Path) -> None:
    trimesh.creation.box().export(tmp_path / "box.ply")
    (mesh,) = draw_meshes(np.random.default_rng(0), np.array([0.5]), str(tmp_path))
    assert not mesh.smooth


@pytest.mark.parametrize("turned", [False, True], ids=["outwards", "inside-out"])
@pytest.mark.parametrize("ending", ["obj", "glb"])
def test_an_object_keeps_its_own_texture(ending: str, turned: bool, tmp_path: Path) -> None:
    shape = trimesh.creation.icosphere(subdivisions=2, radius=0.5)
    if turned:
        shape.invert()
    textured(shape).export(tmp_path / f"ball.{ending}")
    (mesh,) = draw_meshes(np.random.default_rng(0), np.array([0.5]), str(tmp_path))
    xy = mesh.vertices[mesh.faces][..., :2]
    # the image's first row is at the top, where v is 1
    np.testing.assert_allclose(mesh.uv, np.stack([xy[..., 0] + 0.5, 0.5 - xy[..., 1]], -1), atol=1e-5)
    assert mesh.picture is not None
    assert mesh.picture.shape == (8, 16, 3)
    assert mesh.picture[0, 0].argmax() == 0
    scene = sample_scene(np.random.default_rng(0), replace(SMALL, mesh_folder=str(tmp_path)))
    for body in scene.bodies[FIRST_OBJECT:]:
        assert body.texture.shape == (64, 64, 3)
        assert body.texture[:, :30].mean(axis=(0, 1)).argmax() == 0
        assert body.texture[:, 34:].mean(axis=(0, 1)).argmax() == 2


def test_own_objects_are_rendered_and_tracked(tmp_path: Path) -> None:
    textured(trimesh.creation.icosphere(subdivisions=2, radius=2.0)).export(tmp_path / "ball.obj")
    # as thin as a card
    trimesh.creation.box([1, 1.5, 0.01]).export(tmp_path / "card.stl")
    settings = replace(SMALL, mesh_folder=str(tmp_path), objects=(5, 5))
    sequence = render_sequence(1, settings, 60)
    assert (sequence.extra["object_id"] >= FIRST_OBJECT).any()
    assert sequence.visible.any(axis=1).all()
    assert render_sequence(1, settings, 60).video.tobytes() == sequence.video.tobytes()


def test_empty_folders_are_refused(tmp_path: Path) -> None:
    for settings in (
        replace(SMALL, texture_folder=str(tmp_path)),
        replace(SMALL, mesh_folder=str(tmp_path / "missing")),
    ):
        with pytest.raises(UserError, match=r"holds no file that ends in .*give another folder"):
            render_sequence(0, settings, 10)


def test_a_broken_image_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no image")
    with pytest.raises(UserError, match=r"broken\.png: is not an image"):
        render_sequence(0, replace(SMALL, texture_folder=str(tmp_path)), 10)


FLAT = "v 0 0 0\nv 1 0 0\nv 0 1 0\nv 1 1 0\nv 2 1 0\nv 2 3 0\nf 1 2 3\nf 2 3 4\nf 4 5 6\nf 1 5 6\n"
INFINITE = "v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 inf\nf 1 2 3\nf 1 2 4\nf 1 3 4\nf 2 3 4\n"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "cannot be read as a mesh|has no surface"),
        ("\x00\x01 f f f", "cannot be read as a mesh|has no surface"),
        ("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", "has no surface of finite triangles"),
        (INFINITE, "has no surface of finite triangles"),
        (FLAT, "is flat"),
    ],
)
def test_what_is_no_solid_object_is_refused(content: str, problem: str, tmp_path: Path) -> None:
    (tmp_path / "thing.obj").write_text(content)
    with pytest.raises(UserError, match=rf"thing\.obj: ({problem}).*mend or remove it"):
        render_sequence(0, replace(SMALL, mesh_folder=str(tmp_path)), 10)
