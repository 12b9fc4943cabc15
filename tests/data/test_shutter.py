"""Motion blur."""

from dataclasses import replace
from functools import partial

import cv2
import numpy as np
import pytest

from cotracker_pipeline.data.engine import SceneSettings, render_sequence
from cotracker_pipeline.data.engine.pictures import draw_picture
from cotracker_pipeline.data.engine.raycast import Surfaces
from cotracker_pipeline.data.engine.scene import sample_scene
from cotracker_pipeline.data.engine.shading import Shader
from cotracker_pipeline.data.engine.shutter import delayed, moments
from cotracker_pipeline.errors import UserError

SHARP = SceneSettings(
    frames=5,
    height=96,
    width=128,
    objects=(3, 3),
    texture_size=128,
    antialiasing=2,
    camera="pan",
    handheld=0.0,
)
BLURRED = replace(SHARP, motion_blur=0.8)
STANDING = replace(SHARP, camera="static", gravity=0.0, motion=0.0, deforming_share=0.0)


def test_tracks_are_those_of_the_sharp_video() -> None:
    sharp, blurred = render_sequence(3, SHARP, 40), render_sequence(3, BLURRED, 40)
    np.testing.assert_array_equal(sharp.tracks, blurred.tracks)
    np.testing.assert_array_equal(sharp.visible, blurred.visible)


@pytest.mark.parametrize("seed", [3, 4])
def test_a_moving_picture_is_smeared_evenly_about_the_sharp_one(seed: int) -> None:
    blurred = render_sequence(seed, BLURRED, 40).video[2].astype(float)
    scene = sample_scene(np.random.default_rng(seed).spawn(2)[0], SHARP)
    # the exposure is metered in the first frame that points are picked in: of few frames that is the first
    shader = Shader(scene, Surfaces(scene, 0))
    early, sharp, late = (
        draw_picture(
            partial(shader.lit, Surfaces(delayed(scene, delay), 2)),
            SHARP.height,
            SHARP.width,
            SHARP.antialiasing,
        )
        for delay in (-0.3, 0.0, 0.3)
    )
    assert cv2.Laplacian(blurred, cv2.CV_64F).std() < 0.8 * cv2.Laplacian(sharp, cv2.CV_64F).std()
    before, same, after = (np.abs(blurred - picture).mean() for picture in (early, sharp, late))
    assert same < 0.95 * min(before, after)
    assert before == pytest.approx(after, rel=0.1)


def test_what_stands_still_stays_sharp() -> None:
    sharp = render_sequence(5, STANDING, 40).video.astype(int)
    blurred = render_sequence(5, replace(STANDING, motion_blur=1.0), 40).video.astype(int)
    assert np.abs(sharp - blurred).max() <= 1


def test_poses_lie_between_those_of_the_frames() -> None:
    scene = sample_scene(np.random.default_rng(0), SHARP)
    half, whole = delayed(scene, 0.5), delayed(scene, 1.0)
    for body, between, after in zip(scene.bodies, half.bodies, whole.bodies, strict=True):
        np.testing.assert_allclose(after.poses[:-1], body.poses[1:], atol=1e-9)
        rotation = between.poses[:, :3, :3]
        np.testing.assert_allclose(
            rotation @ rotation.transpose(0, 2, 1), np.tile(np.eye(3), (5, 1, 1)), atol=1e-9
        )
        np.testing.assert_allclose(
            between.poses[:-1, :3, 3], (body.poses[:-1, :3, 3] + body.poses[1:, :3, 3]) / 2, atol=1e-9
        )
        # half of the turn from one frame to the next, twice
        turn = rotation[:-1] @ body.poses[:-1, :3, :3].transpose(0, 2, 1)
        np.testing.assert_allclose(turn @ turn @ body.poses[:-1, :3, :3], body.poses[1:, :3, :3], atol=1e-7)
    np.testing.assert_allclose(half.camera.to_world[-1], scene.camera.to_world[-1], atol=1e-12)


def test_the_middle_of_the_exposure_is_the_frame_itself() -> None:
    scene = sample_scene(np.random.default_rng(0), BLURRED)
    open_shutter = moments(scene)
    assert open_shutter[len(open_shutter) // 2] is scene
    delays = [moment.delay for moment in open_shutter]
    assert sum(delays) == pytest.approx(0, abs=1e-12)
    assert -0.4 < min(delays) < -0.3
    sharp = replace(scene, settings=SHARP)
    assert [moment is sharp for moment in moments(sharp)] == [True]


@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_a_shutter_is_open_for_a_share_of_the_time(share: float) -> None:
    with pytest.raises(UserError, match="motion_blur is"):
        replace(SHARP, motion_blur=share)
