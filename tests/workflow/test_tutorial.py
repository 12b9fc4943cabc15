"""The commands of docs/tutorial.md, one after the other, on videos and a model that are tiny."""

import os
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from running import BIN, ROOT, TINY, cloned, shown
from safetensors.torch import load_file

from cotracker_pipeline.config import Study, parse_study
from cotracker_pipeline.train import initial_model

pytestmark = pytest.mark.slow

COMMANDS = [command.strip() for command in shown("tutorial.md", "sh")]
STUDY = yaml.safe_load(shown("tutorial.md", "yaml")[0])
RESULTS = "results/mine"
TARGETS = [f"{RESULTS}/eval/{variant}/seed-0/evaluation.csv" for variant in STUDY["variants"]]


def write_video(folder: Path, frames: int = 12, size: int = 64) -> None:
    """A square that moves over noise, and points on it."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    noise = random.integers(0, 256, (size, size, 3), dtype=np.uint8)
    writer = cv2.VideoWriter(str(folder / "video.mp4"), cv2.VideoWriter_fourcc(*"mp4v"), 10, (size, size))
    for frame in range(frames):
        picture = noise.copy()
        picture[20:40, 10 + frame : 30 + frame] = (40, 200, 90)
        writer.write(picture)
    writer.release()
    points = [(x, y) for x in (12, 17, 22, 27) for y in (22, 27, 32, 37)]
    rows = [
        {"track": track, "frame": frame, "x": x + frame, "y": y, "visible": 1}
        for track, (x, y) in enumerate(points)
        for frame in range(frames)
    ]
    pd.DataFrame(rows).to_csv(folder / "tracks.csv", index=False)


@pytest.fixture(scope="module")
def miniature(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tutorial's videos and study, shrunk, and weights to start from."""
    folder = cloned(tmp_path_factory.mktemp("tutorial"))
    write_video(folder / "my-videos/train/cup")
    write_video(folder / "my-videos/eval/bottle")
    model = yaml.safe_load((ROOT / TINY).read_text())["training"]["model"]
    study = STUDY | {
        "memory": {"model": model, "clip": {"frames": 8, "height": 64, "width": 64}},
        "evaluation": {"iterations": 1, "support_grid": 0, "max_tracks": 4},
    }
    study["recipe"] |= {"tracks": 8, "steps": 2}
    clip = {"batch_size": 1, "frames": 8, "height": 48, "width": 48}
    study["training"] |= {"clip": clip, "model": model, "device": "cpu", "threads": 1, "workers": 0}
    (folder / "my-study.yaml").write_text(yaml.safe_dump(study))
    write_checkpoint(parse_study(study, "my-study.yaml"), folder / study["training"]["initial_checkpoint"])
    return folder


def write_checkpoint(study: Study, path: Path) -> None:
    """Fresh weights, as a published file holds them."""
    training = study.training.model_copy(update={"initial_checkpoint": None})
    fresh = study.model_copy(update={"training": training})
    torch.save(initial_model(fresh, fresh.variant("baseline"), 3, None).state_dict(), path)


def run(command: str, folder: Path) -> str:
    path = os.pathsep.join([str(BIN), os.defpath])
    environment = os.environ | {"PATH": path, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, shell=True, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout + done.stderr


def test_the_tutorial_leads_to_a_tracker_that_is_tuned_and_evaluated(miniature: Path) -> None:
    _, plan, convert, study, evaluate, _ = COMMANDS
    dry, train = study.splitlines()
    assert "chosen" in run(f"{plan} --config my-study.yaml", miniature)
    run(convert, miniature)
    assert (miniature / "my-eval.h5").is_file()
    assert "Training untuned with seed 0" in run(dry, miniature)
    run(f"{train} -- {' '.join(TARGETS)}", miniature)
    start = weights(miniature / STUDY["training"]["initial_checkpoint"])
    tuned, untuned = (
        weights(miniature / f"{RESULTS}/train/{variant}/seed-0/model.safetensors")
        for variant in ("baseline", "untuned")
    )
    assert distance(untuned, start) < 1e-6 < distance(tuned, start)
    run(evaluate, miniature)
    ours, again = (pd.read_csv(miniature / path) for path in (TARGETS[0], "evaluation.csv"))
    pd.testing.assert_frame_equal(ours, again)


def weights(path: Path) -> dict[str, torch.Tensor]:
    if path.suffix == ".safetensors":
        return load_file(path)
    return torch.load(path, weights_only=True)


def distance(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> float:
    """Largest difference of a weight."""
    return max(float((one[key] - other[key]).abs().max()) for key in one.keys() & other.keys())
