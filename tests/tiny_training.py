"""A study whose training takes half a second, and its data."""

from pathlib import Path
from typing import Any

import numpy as np
import yaml
from small_models import TINY

from cotracker_pipeline.data.store import Sequence, write_shard

STEPS = 12
CLIP = {"batch_size": 1, "frames": 6, "height": 32, "width": 32}


def prepare(folder: Path, name: str = "study", steps: int = STEPS, **training: Any) -> Path:
    """The study of one variant in ``folder``, and its two shards; the file of the study.

    With ``validate_every`` it validates on the second one.
    """
    study = {
        "study": name,
        "recipe": {"tracks": 5, "iterations": 2, "steps": steps, "learning_rate": 1e-3},
        "data": {"train": {"files": ["0.h5", "1.h5"]}, "eval": {"files": ["0.h5"]}},
        "training": {
            "model": TINY.model_copy(update={"model_resolution": (32, 32)}).model_dump(mode="json"),
            "clip": CLIP,
            "device": "cpu",
            "log_every": 3,
            "save_every": 2,
            **training,
        },
        "variants": {"baseline": {}},
    }
    if "validate_every" in training:
        study["data"]["validation"] = {"files": ["1.h5"]}
        study["evaluation"] = {"iterations": 2, "support_grid": 0, "max_tracks": 20}
    for number in range(2):
        provenance = {"source": "test", "licence": "none"}
        write_shard(folder / f"{number}.h5", [sequence(number)], provenance, codec="jpeg")
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(study))
    return path


def sequence(seed: int) -> Sequence:
    """Noise with points that stand still."""
    rng = np.random.default_rng(seed)
    video = rng.integers(0, 256, (10, 40, 40, 3), np.uint8)
    tracks = np.repeat(rng.uniform(0, 40, (80, 1, 2)), 10, axis=1).astype(np.float32)
    return Sequence(f"noise-{seed}", video, tracks, np.ones((80, 10), bool))
