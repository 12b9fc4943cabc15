"""Readers of published data sets and of a user's own: one module a layout.

Each turns the coordinates of its source into the raster pixels of the store, with the pair of functions in
``cotracker_pipeline.data.coordinates`` where they differ; what each source has, its module says.
"""

from cotracker_pipeline.data.formats.dynamic_replica import DYNAMIC_REPLICA
from cotracker_pipeline.data.formats.format import Entry, Format
from cotracker_pipeline.data.formats.frames import FRAMES
from cotracker_pipeline.data.formats.kubric import KUBRIC
from cotracker_pipeline.data.formats.point_odyssey import POINT_ODYSSEY
from cotracker_pipeline.data.formats.tapvid import ROBOTAP, TAPVID_DAVIS, TAPVID_KINETICS, TAPVID_RGB_STACKING

FORMATS = {
    "kubric": KUBRIC,
    "tapvid-davis": TAPVID_DAVIS,
    "tapvid-rgb-stacking": TAPVID_RGB_STACKING,
    "tapvid-kinetics": TAPVID_KINETICS,
    "robotap": ROBOTAP,
    "point-odyssey": POINT_ODYSSEY,
    "dynamic-replica": DYNAMIC_REPLICA,
    "frames": FRAMES,
}

__all__ = ["FORMATS", "Entry", "Format"]
