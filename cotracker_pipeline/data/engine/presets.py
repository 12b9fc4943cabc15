"""The settings of rendered scenes, and their presets."""

from dataclasses import dataclass
from typing import Literal

from cotracker_pipeline.errors import UserError


@dataclass(frozen=True)
class SceneSettings:
    """What a rendered sequence looks like.

    frames, height, width: sizes of the video; fps: frames per second of simulated time (more: slower motion).
    objects: fewest and most objects (both included); resting_share of them starts on the floor, the others
        are thrown; deforming_share of them bends, twists or wobbles.
    camera: kind of path; ``mixed`` draws 10 % static, 40 % linear, 35 % panning, 15 % orbiting.
    motion: scales the speed of objects and camera; handheld: scales the camera's jitter; gravity: m/s^2.
    motion_blur: share of the time between two frames for which the shutter is open, 0 to 1; the tracks are
        those of the middle of that time.
    textures: which photographs the scene may use; the two sets share none.
    texture_folder: the user's own images in place of these; mesh_folder: the user's own objects in place of
        the families of shapes.
    texture_size: pixels across an object's texture, a power of two; floor and backdrop use twice that.
    antialiasing: samples per axis in pixels that need them.
    Raises ``UserError`` for values that make no scene.
    """

    frames: int = 24
    height: int = 128
    width: int = 128
    fps: float = 12.0
    objects: tuple[int, int] = (5, 15)
    resting_share: float = 0.25
    deforming_share: float = 0.15
    camera: Literal["mixed", "static", "linear", "pan", "orbit"] = "mixed"
    motion: float = 1.0
    handheld: float = 1.0
    gravity: float = 9.81
    motion_blur: float = 0.0
    textures: Literal["train", "held-out"] = "train"
    texture_folder: str | None = None
    mesh_folder: str | None = None
    texture_size: int = 256
    antialiasing: int = 3

    def __post_init__(self) -> None:
        for key in ("frames", "height", "width", "fps", "antialiasing"):
            if getattr(self, key) <= 0:
                raise UserError(f"scene settings: {key} is {getattr(self, key)}; it must be above 0")
        if not 1 <= self.objects[0] <= self.objects[1]:
            raise UserError(f"scene settings: objects is {self.objects}; give fewest and most, from 1 up")
        if not 0 <= self.motion_blur <= 1:
            raise UserError(f"scene settings: motion_blur is {self.motion_blur}; give 0 to 1")
        if self.texture_size < 32 or self.texture_size & (self.texture_size - 1):
            raise UserError(
                f"scene settings: texture_size is {self.texture_size}; use a power of 2 from 32 up"
            )


# `smoke` is about as hard for optical flow as TAP-Vid DAVIS; `kubric` follows the ranges of MOVi-F;
# in `panning` every camera turns while it travels
PRESETS = {
    "easy": SceneSettings(fps=48.0, motion=0.4, objects=(3, 8)),
    "smoke": SceneSettings(fps=24.0, motion=0.6, objects=(4, 9)),
    "kubric": SceneSettings(),
    "panning": SceneSettings(camera="pan"),
}
