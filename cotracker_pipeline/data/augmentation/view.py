"""The view: each frame is scaled, and the clip cut out of it, in one go."""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from cotracker_pipeline.config import Augmentation, Clip
from cotracker_pipeline.data.augmentation.crop import ORIGINS, draw_movement
from cotracker_pipeline.data.augmentation.labels import Labels
from cotracker_pipeline.data.augmentation.scale import draw_scales


@dataclass(frozen=True)
class View:
    """What of each frame the clip shows.

    scales: (T, 2) float64 of x and y; corners: (T, 2) int64, the clip's left upper pixel in the scaled frame;
    height, width: of the clip.
    """

    scales: np.ndarray
    corners: np.ndarray
    height: int
    width: int

    def label(self, labels: Labels) -> Labels:
        """The labels of the changed clip; points outside of it become invisible."""
        shift, scales = (part[:, None].astype(np.float32) for part in (self._shift, self.scales))
        xy = labels.tracks * scales - shift
        limit = np.array([self.width, self.height], np.float32) - np.float32(0.5)
        inside = ((xy >= -0.5) & (xy < limit)).all(axis=-1)
        return Labels(xy, labels.visible & inside, self.height, self.width)

    def paint(self, video: np.ndarray) -> np.ndarray:
        """The pixels of the changed clip."""
        shown = np.empty((len(video), self.height, self.width, 3), np.uint8)
        for frame, out, scale, shift in zip(video, shown, self.scales, self._shift, strict=True):
            if (scale == 1).all():
                left, top = shift.astype(int)
                out[:] = frame[top : top + self.height, left : left + self.width]
            else:
                _look(frame, out, scale, shift)
        return shown

    @property
    def _shift(self) -> np.ndarray:
        """(T, 2): what is taken from a scaled pixel index."""
        # scaling keeps the frame's edge, which is at -0.5
        return self.corners - (self.scales - 1) / 2


def draw_view(rng: np.random.Generator, labels: Labels, settings: Augmentation, clip: Clip) -> View:
    """The view of a clip; without scale and drift it stands still and shows the pixels as they are."""
    needed = np.array([clip.width, clip.height])
    scales = np.ones((labels.frames, 2))
    if settings.scale or settings.scale_drift:
        scales = draw_scales(rng, labels.frames, labels.size, needed, settings.scale, settings.scale_drift)
    sizes = np.rint(scales * labels.size).astype(int)
    width, height = sizes[0].tolist()
    first = replace(labels, tracks=labels.tracks * scales[0], width=width, height=height)
    corners = np.tile(ORIGINS[settings.crop](rng, first, needed), (labels.frames, 1))
    if settings.crop_drift:
        corners += draw_movement(rng, labels.frames, settings.crop_drift)
    return View(scales, np.clip(corners, 0, sizes - needed), clip.height, clip.width)


def _look(frame: np.ndarray, out: np.ndarray, scale: np.ndarray, shift: np.ndarray) -> None:
    # from a pixel of the clip to the place in the frame that it shows
    back = np.concatenate([np.diag(1 / scale), (shift / scale)[:, None]], axis=1)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    cv2.warpAffine(frame, back, out.shape[1::-1], dst=out, flags=flags, borderMode=cv2.BORDER_REPLICATE)
