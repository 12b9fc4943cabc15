"""The colour of a scene along rays: textures, sun with shadows, sky, highlights, exposure."""

from dataclasses import dataclass

import numpy as np

from cotracker_pipeline.data.engine.mipmaps import Mipmaps
from cotracker_pipeline.data.engine.raycast import Hits, Surfaces, bodies_of_triangles, dot
from cotracker_pipeline.data.engine.scene import Body, Scene

TARGET_BRIGHTNESS = 0.42
# brighter than this, values are rolled off instead of clipped
SHOULDER = 0.6
# slanted further than this, a surface is sampled as if it were not (it would blur away)
LEAST_SLANT = 0.05


@dataclass(frozen=True)
class Samples:
    """What M rays see: colour (3, M) float32 0..255, depth (M,) metres, body (M,), -1 where there is none."""

    colour: np.ndarray
    depth: np.ndarray
    body: np.ndarray


class Shader:
    """Shades one scene; the exposure is chosen once and kept, as a video camera with fixed exposure does."""

    def __init__(self, scene: Scene, surfaces: Surfaces) -> None:
        """surfaces: the frame that the exposure is metered in."""
        self._scene = scene
        self._mipmaps = Mipmaps([body.texture for body in scene.bodies])
        self._body = bodies_of_triangles(scene)
        self._uv = np.concatenate([body.mesh.uv for body in scene.bodies]).reshape(-1, 6).T.astype(np.float32)
        self._texels_per_metre = np.concatenate([_texels_per_metre(body) for body in scene.bodies])
        self._glow = np.array([body.glow for body in scene.bodies], np.float32)
        self._gloss = np.array([body.gloss for body in scene.bodies], np.float32).T
        self._exposure = 1.0
        self._exposure = self._metered_exposure(surfaces)

    def lit(self, surfaces: Surfaces, xy: np.ndarray) -> Samples:
        """What the camera sees at raster pixels ``xy`` (M, 2)."""
        directions, hits, samples = self._look(surfaces, xy)
        light, highlight = self._light(surfaces, directions, hits)
        exposed = (samples.colour * light + 255 * highlight) * np.float32(self._exposure)
        return Samples(_roll_off(exposed), samples.depth, samples.body)

    def unlit(self, surfaces: Surfaces, xy: np.ndarray) -> Samples:
        """The bare textures at raster pixels ``xy`` (M, 2): a material point always has the same colour."""
        return self._look(surfaces, xy)[2]

    def _look(self, surfaces: Surfaces, xy: np.ndarray) -> tuple[np.ndarray, Hits, Samples]:
        camera, frame = surfaces.camera, surfaces.frame
        directions = camera.rays(frame, xy)
        hits = surfaces.first_hits(camera.position(frame), directions)
        colour = self._texture(hits, camera.intrinsics[frame, 0, 0])
        colour[:, ~hits.hit] = 0
        forward = camera.to_world[frame, :3, 2].astype(np.float32)
        depth = np.where(hits.hit, hits.distance * (directions @ forward), np.inf)
        return directions, hits, Samples(colour, depth, np.where(hits.hit, self._body[hits.triangle], -1))

    def _texture(self, hits: Hits, focal: float) -> np.ndarray:
        u, v = _interpolate(self._uv, hits)
        slant = np.sqrt(np.maximum(hits.slant, np.float32(LEAST_SLANT)))
        texels = hits.distance * self._texels_per_metre[hits.triangle] / (np.float32(focal) * slant)
        level = np.log2(np.maximum(texels, np.float32(1e-6)))
        return self._mipmaps.colours(self._body[hits.triangle], u, v, level)

    def _light(self, surfaces: Surfaces, directions: np.ndarray, hits: Hits) -> tuple[np.ndarray, np.ndarray]:
        """Light (3, M) that multiplies the texture, and highlight (M,) that is added."""
        light = self._scene.light
        rays, sun = directions.T, light.sun_direction.astype(np.float32)
        body = self._body[hits.triangle]
        glow = self._glow[body]
        normal = _towards(_unit(_interpolate(surfaces.normals, hits)), rays)
        sunshine = np.maximum(sun @ normal, 0) * (sun @ hits.facing > 0)
        self._cast_shadows(surfaces, hits, rays, sunshine, glow)
        up = 0.5 + 0.5 * normal[2]
        sky, ground, sunlight = (c.astype(np.float32)[:, None] for c in (light.sky, light.ground, light.sun))
        brightness = up * sky + (1 - up) * ground + sunshine * sunlight
        strength, exponent = self._gloss[:, body]
        halfway = _unit(sun[:, None] - rays)
        highlight = np.maximum(dot(normal, halfway), 0) ** exponent * strength * (sunshine > 0)
        return np.where(glow > 0, glow, brightness), np.where(glow > 0, 0, highlight)

    def _cast_shadows(
        self, surfaces: Surfaces, hits: Hits, rays: np.ndarray, sunshine: np.ndarray, glow: np.ndarray
    ) -> None:
        """Take the sun from those points that it does not reach (changes ``sunshine``)."""
        sunny = np.flatnonzero(hits.hit & (sunshine > 0) & (glow == 0))
        origin = surfaces.camera.position(surfaces.frame).astype(np.float32)[:, None]
        points = origin + rays[:, sunny] * hits.distance[sunny]
        blocked = surfaces.in_shadow(points, hits.facing[:, sunny], self._scene.light.sun_direction)
        sunshine[sunny[blocked]] = 0

    def _metered_exposure(self, surfaces: Surfaces) -> float:
        settings = self._scene.settings
        # a coarse grid: no need for random numbers
        grid = (np.indices((40, 40)).reshape(2, -1).T + 0.5) / 40
        samples = self.lit(surfaces, grid * [settings.width, settings.height])
        return float(np.clip(TARGET_BRIGHTNESS * 255 / max(samples.colour.mean(), 5.0), 0.5, 2.5))


def _texels_per_metre(body: Body) -> np.ndarray:
    """How densely the texture lies on each triangle: (F,) float32."""
    corners, uv = body.mesh.vertices[body.mesh.faces], body.mesh.uv
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area = np.maximum(np.linalg.norm(normals, axis=1), 1e-12)
    first, second = uv[:, 1] - uv[:, 0], uv[:, 2] - uv[:, 0]
    uv_area = np.abs(first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0])
    return (np.sqrt(uv_area / area) * len(body.texture)).astype(np.float32)


def _interpolate(corner_values: np.ndarray, hits: Hits) -> np.ndarray:
    """Values at hits from values at corners: (3 * C, F) -> (C, M) float32."""
    first, second, third = np.split(corner_values[:, hits.triangle], 3)
    return first * (1 - hits.u - hits.v) + second * hits.u + third * hits.v


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / (np.sqrt(dot(vectors, vectors)) + np.float32(1e-12))


def _towards(normals: np.ndarray, rays: np.ndarray) -> np.ndarray:
    """Turn those normals that look away from the ray's origin."""
    return np.where(dot(normals, rays) > 0, -normals, normals)


def _roll_off(colour: np.ndarray) -> np.ndarray:
    """Compress bright values (0..255) smoothly instead of clipping them."""
    value = colour / np.float32(255)
    above = np.maximum(value - np.float32(SHOULDER), 0)
    rolled = SHOULDER + (1 - SHOULDER) * (1 - np.exp(-above / np.float32(1 - SHOULDER)))
    return 255 * np.where(above > 0, rolled, value).astype(np.float32)
