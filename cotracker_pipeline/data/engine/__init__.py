"""The scene engine: synthetic videos with exact tracks.

Textured meshes fall, collide and roll over a textured floor (MuJoCo), some of them bend or wobble, a
hand-held camera moves around them, and rays (Embree) draw the pictures.  Tracks come from the same triangles
as the pictures, so they are exact by construction.
"""

from cotracker_pipeline.data.engine.presets import PRESETS, SceneSettings
from cotracker_pipeline.data.engine.seeds import sequence_seed
from cotracker_pipeline.data.engine.sequences import render_sequence

__all__ = ["PRESETS", "SceneSettings", "render_sequence", "sequence_seed"]
