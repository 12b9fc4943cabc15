"""Random changes of training clips: those of the published training, each of which the study switches on.

A change is first drawn, from the clip's random numbers and its labels alone, and only then painted: a clip
whose labels turn out useless is never decoded. Pixels stay uint8; tracks and visibility stay exact.
"""

from cotracker_pipeline.data.augmentation.changes import Change, draw_changes
from cotracker_pipeline.data.augmentation.labels import Labels

__all__ = ["Change", "Labels", "draw_changes"]
