"""Made-up measurements of a made-up study."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cotracker_pipeline.analysis.evidence import (
    LOSS_COLUMNS,
    Evidence,
    read_evidence,
)
from cotracker_pipeline.config import Study, parse_study

METRICS = ("average_jaccard", "average_pts_within_thresh", "occlusion_accuracy")
# training peak in GB, mean accuracy
VARIANTS = {"baseline": (60.0, 0.30), "bf16": (40.0, 0.29), "lean": (10.0, 0.15)}
FLOORS = {"static": 0.1, "lucas-kanade": 0.28}
SEEDS = (0, 1, 2)
VIDEOS = 6
MODES = ("first", "strided")


@pytest.fixture(scope="session")
def study() -> Study:
    return parse_study(
        {
            "study": "made-up",
            "recipe": {"steps": 20},
            "data": {"train": {"files": ["a.h5"]}, "eval": {"files": ["b.h5"]}},
            "training": {"track_factor": 0.0625, "seeds": SEEDS},
            "variants": {
                "baseline": {},
                "bf16": {"strategy": {"precision": "bf16"}},
                "lean": {"recipe": {"tracks": 144}, "strategy": {"checkpoint": ["encoder"]}},
            },
            "ablations": {"precision": ["bf16"]},
        },
        "made-up",
    )


@pytest.fixture(scope="session")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder as the earlier steps leave it."""
    root = tmp_path_factory.mktemp("results")
    random = np.random.default_rng(1)
    spread = random.normal(0, 0.03, VIDEOS)
    for name, (peak, accuracy) in VARIANTS.items():
        write(root / f"memory/predicted/{name}.json", json.dumps(prediction(name, peak)))
        write(root / f"memory/measured/{name}.json", json.dumps(measurement(name, peak)))
        for seed in SEEDS:
            write_losses(root / f"train/{name}/seed-{seed}/loss.csv", random)
            write_validation(root / f"train/{name}/seed-{seed}/validation.csv", accuracy + seed / 100)
            modes = {mode: accuracy + spread + random.normal(0, 0.001, VIDEOS) for mode in MODES}
            write_evaluation(root / f"eval/{name}/seed-{seed}/evaluation.csv", modes)
    write(root / "memory/budgets.json", json.dumps({"budgets": budgets()}))
    for name, accuracy in FLOORS.items():
        write_evaluation(
            root / f"eval/baselines/{name}/evaluation.csv", dict.fromkeys(MODES, accuracy + spread)
        )
    return root


@pytest.fixture(scope="session")
def evidence(results: Path) -> Evidence:
    options = ("--memory", "--accuracy", "--floors", "--losses")
    files = {option: sorted(results.glob(pattern)) for option, pattern in PATTERNS.items()}
    return read_evidence(*(files[option] for option in options), step_times(), files["--validation"])


@pytest.fixture(scope="session")
def patterns() -> dict[str, str]:
    """Options of the steps and where their files lie."""
    return PATTERNS


PATTERNS = {
    "--memory": "memory/predicted/*.json",
    "--measured": "memory/measured/*.json",
    "--budgets": "memory/budgets.json",
    "--accuracy": "eval/*/seed-*/*.csv",
    "--floors": "eval/baselines/*/*.csv",
    "--losses": "train/*/seed-*/loss.csv",
    "--validation": "train/*/seed-*/validation.csv",
}


def prediction(name: str, peak_gb: float) -> dict:
    peak = int(peak_gb * 1e9)
    return {
        "variant": name,
        "peak_allocated_bytes": peak,
        "peak_blocks_bytes": int(1.01 * peak),
        "peak_reserved_bytes": int(1.03 * peak),
        "smallest_card_bytes": int(1.02 * peak),
        "allowance_bytes": int(0.6e9),
        "inference_peak_allocated_bytes": int(2e9),
        "flops": 24e12 if name == "baseline" else 30e12,
        "breakdown": {"encoder": peak // 2, "transformer": peak - peak // 2},
        "explanation": [f"{peak_gb:.2f} GB are live at the peak.", f"{peak_gb:.2f} GB (100.0 %): made-up.*."],
        "timeline": timeline(peak),
        "inference": [
            {
                "frames": 24,
                "tracks": tracks,
                "iterations": 6,
                "peak_allocated_bytes": int(2e9),
                "peak_blocks_bytes": int(2.5e9),
            }
            for tracks in (768, 6144)
        ],
    }


def timeline(peak: int) -> dict:
    """A rise and a fall."""
    phases = [("forward", 0, 40), ("backward", 40, 95), ("clip", 95, 98), ("optimiser", 98, 100)]
    return {
        "positions": [0, 40, 95, 100],
        "components": {
            "encoder": [0, peak // 2, peak // 8, 0],
            "transformer": [0, peak - peak // 2, 0, 0],
            "batch": [0, 0, peak // 9, 0],
        },
        "phases": [{"name": name, "start": start, "end": end} for name, start, end in phases],
    }


def measurement(name: str, peak_gb: float) -> dict:
    """Two per cent above the prediction, on a card too small for the baseline."""
    predicted = prediction(name, peak_gb)
    fits = name != "baseline"
    return {
        "variant": name,
        "status": "measured" if fits else "out of memory",
        "peak_allocated_bytes": int(1.02 * predicted["peak_blocks_bytes"]) if fits else None,
        "peak_reserved_bytes": int(1.02 * predicted["peak_reserved_bytes"]) if fits else None,
        "peak_resident_bytes": None,
        "outside_allocator_bytes": int(5e8) if fits else None,
        "inference_peak_allocated_bytes": int(2e9),
        "seconds_per_step": 1.5 if fits else None,
        "track_frames_per_second": 12288.0 if fits else None,
        "inference": [{"frames": 24, "tracks": 768, "peak_allocated_bytes": int(2e9)}],
        "device": "Made-up GPU",
        "driver": "1.2",
        "cuda": "13.0",
        "torch": "2.13.0",
    }


def budgets() -> list[dict]:
    """A large card takes everything, a small one nothing unless bf16 is allowed."""
    cases = [(80, (), "plain"), (80, ("bf16",), "plain"), (6, (), "lean"), (6, ("bf16",), "bf16, lean")]
    return [
        {
            "card_gib": card,
            "allowed": allowed,
            "rung": rung,
            "fits": card == 80 or bool(allowed),
            "smallest_card_bytes": int(6e9 if allowed else 12e9),
            "peak_allocated_bytes": int(5e9),
            "flops": 24e12 if rung == "plain" else 30e12,
            "plain_flops": 24e12,
        }
        for card, allowed, rung in cases
    ]


def step_times() -> pd.DataFrame:
    """Three rounds on a GPU: bf16 takes 0.8 times as long as the baseline, lean about 1.3 times."""
    ratios = {"baseline": (1.0, 1.0, 1.0), "bf16": (0.8, 0.8, 0.81), "lean": (1.29, 1.3, 1.31)}
    return pd.DataFrame(
        {
            "device": "Made-up GPU",
            "round": round_,
            "variant": name,
            "seconds": 2 * (1 + round_) * ratio + late,
        }
        for name, of_rounds in ratios.items()
        for round_, ratio in enumerate(of_rounds)
        for late in (0.0, 0.0, 5.0)
    )


def write_evaluation(path: Path, modes: dict[str, np.ndarray]) -> None:
    write(path, pd.concat(evaluation_rows(*item) for item in modes.items()).to_csv(index=False))


def evaluation_rows(mode: str, values: np.ndarray) -> pd.DataFrame:
    videos = [f"eval-{index}" for index in range(len(values))]
    columns = {"video": videos, "frames": 24, "tracks": 8, "query_mode": mode}
    return pd.DataFrame(columns | dict.fromkeys(METRICS, values))


def write_losses(path: Path, random: np.random.Generator) -> None:
    steps = np.arange(1, 21)
    curve = 10 / steps + random.normal(0, 0.01, len(steps))
    write(path, pd.DataFrame(dict.fromkeys(LOSS_COLUMNS, curve) | {"step": steps}).to_csv(index=False))


def write_validation(path: Path, last: float) -> None:
    """A rise to ``last``."""
    steps = np.array([10, 20])
    columns = {"step": steps} | dict.fromkeys(METRICS, last * steps / 20)
    write(path, pd.DataFrame(columns).to_csv(index=False))


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
