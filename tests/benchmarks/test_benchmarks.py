"""The scripts that measure."""

import csv
import io
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import feeding
import numpy as np
import pandas as pd
import pytest
import torch
from explain_snapshot import largest, live_at_peak
from rows import add_rows, shown
from stage_times import stage_times
from strategy_speed import summary
from tracking_speed import single_operations
from tracking_speed import summary as tracking_summary

from cotracker_pipeline.config import Clip, Strategy
from cotracker_pipeline.data.store import Sequence

ROOT = Path(__file__).parents[2]
TINY = "config/test/tiny.yaml"


def measure(*arguments: object) -> str:
    """What the script says about the baseline of the tiny study on a CPU."""
    command = [sys.executable, "benchmarks/measure_on_gpu.py", "--config", TINY, "--variants", "baseline"]
    command += ["--device", "cpu", "--steps", "1", "--rounds", "1", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_what_seeds_and_videos_spread_by(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for variant, shift in (("baseline", 0.0), ("other", 0.02)):
        for seed in (0, 1, 2):
            folder = tmp_path / f"eval/{variant}/seed-{seed}"
            folder.mkdir(parents=True)
            values = shift + random.normal(0, 0.01, 40)
            metrics = ("average_jaccard", "average_pts_within_thresh", "occlusion_accuracy")
            table = {"video": range(40), "query_mode": "first"} | dict.fromkeys(metrics, values)
            pd.DataFrame(table).to_csv(folder / "evaluation.csv", index=False)
    command = [sys.executable, "benchmarks/seed_spread.py", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rows = pd.read_csv(io.StringIO(done.stdout))
    assert set(rows["variant"]) == {"other"}
    assert rows["difference"].to_numpy() == pytest.approx(2, abs=0.6)
    # each number of a difference deviates by one point, twice
    assert rows["rest"].to_numpy() == pytest.approx(2, rel=0.3)


@pytest.mark.slow
def test_a_study_is_measured(tmp_path: Path):
    predict = [sys.executable, "-m", "cotracker_pipeline.predict_memory", "--config", TINY]
    predict += ["--variant", "baseline", "--output", str(tmp_path / "predicted" / "baseline.json")]
    subprocess.run(predict, cwd=ROOT, check=True)
    said = measure("--output", tmp_path, "--predictions", tmp_path / "predicted", "--commit", "abc")
    (row,) = read(tmp_path / "measured_memory.csv")
    assert (row["variant"], row["status"], row["commit"]) == ("baseline", "measured", "abc")
    assert row["peak_allocated_bytes"] == row["predicted_allocated_bytes"]
    assert float(row["allocated_error"]) == 0
    assert row["dense_inference_peak_allocated_bytes"] == row["predicted_dense_inference_bytes"]
    assert all(row[name] for name in ("device", "torch", "date", "seconds_per_step"))
    assert str(tmp_path) not in row["command"]
    times = read(tmp_path / "step_times.csv")
    assert [(time["step"], time["variant"], time["tf32"]) for time in times] == [
        (step, "baseline", "torch") for step in "012"
    ]
    assert all(float(time["seconds"]) > 0 for time in times)
    assert "round 0: done" in said


def test_a_variant_that_fails_has_a_row(tmp_path: Path):
    said = measure("--output", tmp_path, "--seconds", 0)
    (row,) = read(tmp_path / "measured_memory.csv")
    assert (row["status"], row["message"], row["tracks"]) == ("failed", "no time was left", "16")
    assert "baseline: failed: no time was left" in said


def test_rows_are_added(tmp_path: Path):
    path = tmp_path / "rows.csv"
    for number in range(2):
        add_rows(path, ["a", "b"], [{"a": number, "other": 1}])
    assert path.read_text() == "a,b\n0,\n1,\n"


def test_a_command_is_shown_without_its_output():
    assert shown(["-m", "step", "--output", "/some/where", "--steps", "3"]) == "python -m step --steps 3"


def test_the_peak_of_a_snapshot_is_explained():
    def event(action: str, address: int, size: int, place: str) -> dict:
        frames = [
            {"filename": "/lib/torch/nn.py", "line": 1, "name": "linear"},
            {"filename": "/src/a.py", "line": 7, "name": place},
        ]
        return {"action": action, "addr": address, "size": size, "frames": frames if place else []}

    trace = [
        event("segment_alloc", 0, 10_000, ""),
        event("alloc", 1, 100, "f"),
        event("alloc", 2, 300, ""),
        event("free_requested", 1, 100, ""),
        event("free_completed", 1, 100, ""),
        event("alloc", 3, 200, "g"),
        event("alloc", 4, 200, "g"),
        event("free_completed", 3, 200, ""),
        event("alloc", 5, 100, "f"),
    ]
    assert largest(live_at_peak(trace)) == [
        (("a.py:7 g", 200), 2),
        (("no line of Python", 300), 1),
    ]


def test_stage_times_sum_the_jobs_of_a_rule(tmp_path: Path) -> None:
    header = "s\tmax_rss\tcpu_time\n"
    for place, row in {
        "train/a/seed-0.tsv": "3\t10\t2",
        "train/b/seed-0.tsv": "5\t40\t4",
        "warm_up.tsv": "7\t-\t6",
    }.items():
        file = tmp_path / place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(header + row + "\n")
    stages = stage_times(tmp_path)
    assert list(stages.loc["train"]) == [2, 8, 6, 40]
    assert list(stages.loc["warm_up"])[:3] == [1, 7, 6]


def test_feeding_is_measured_against_the_published_reading(tmp_path: Path) -> None:
    sizes = {"frames": 4, "height": 24, "width": 32, "tracks": 4, "rounds": 1, "clips": 2, "times": 2}
    sequence = {"sequences": 1, "points": 40, "frames": 6, "height": 24, "width": 40}
    command = [sys.executable, "benchmarks/feeding.py", "--scratch", str(tmp_path / "data")]
    command += ["--output", str(tmp_path / "feeding.csv")]
    for key, value in sizes.items():
        command += [f"--{key}", str(value)]
    for key, value in sequence.items():
        command += [f"--{key if key in ('sequences', 'points') else f'sequence-{key}'}", str(value)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rows = read(tmp_path / "feeding.csv")
    assert [int(row["clips"]) for row in rows] == [2, 4, 4, 4]
    assert all(float(row["clips_per_second"]) > 0 for row in rows)
    assert all(row["device"] and row["date"] and row["sequence_width"] == "40" for row in rows)
    assert "1.0 times the published" in done.stdout


def test_both_readings_show_the_same_pixels_under_their_tracks(tmp_path: Path) -> None:
    """Else the two would not be comparable."""
    rng = np.random.default_rng(0)
    video = rng.integers(0, 256, (4, 8, 8, 3)).astype(np.uint8)
    tracks = (rng.integers(0, 8, (5, 1, 2)) + np.full((5, 4, 2), 0.5)).astype(np.float32)
    feeding.write_pngs(tmp_path, Sequence("one", video, tracks, np.ones((5, 4), bool)))
    clip = feeding.PublishedReading([tmp_path], Clip(frames=3, height=5, width=6), 5, 1)[0]
    assert clip.video.shape == (3, 3, 5, 6)
    originals = {tuple(video[t, y, x]) for t, (x, y) in enumerate_tracks(tracks)}
    inside = ((clip.trajectory >= 0) & (clip.trajectory < torch.tensor([6, 5]))).all(dim=-1)
    assert inside.any()
    for t, n in torch.nonzero(inside):
        x, y = clip.trajectory[t, n].long()
        assert tuple(clip.video[t, :, y, x].tolist()) in originals


def enumerate_tracks(tracks: np.ndarray) -> Iterator[tuple[int, list[int]]]:
    """The frame and the pixel of every point."""
    for track in tracks.astype(int):
        yield from enumerate(track.tolist())


def test_rendering_is_measured_by_case(tmp_path: Path) -> None:
    command = [sys.executable, "benchmarks/rendering.py", "--cases", "128x128", "--sequences", "1"]
    command += ["--frames", "2", "--output", str(tmp_path / "rendering.csv")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (row,) = read(tmp_path / "rendering.csv")
    assert (row["case"], row["preset"], row["frames"], row["width"]) == ("128x128", "kubric", "2", "128")
    rate = float(row["frames_per_cpu_second"])
    assert rate * float(row["cpu_seconds"]) == pytest.approx(2)
    assert f"{rate:.2f} frames per CPU-second" in done.stdout


def compare(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Strategies on the smallest clip."""
    command = [sys.executable, "benchmarks/strategy_speed.py", *map(str, arguments), "--rounds", "1"]
    command += ["--warm-ups", "0", "--tracks", "4", "--frames", "12", "--height", "32", "--width", "32"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("what", "strategies"),
    [("step", ["published", "balanced:bf16"]), ("tracking", ["published", "tracking"])],
)
def test_strategies_are_compared(tmp_path: Path, what: str, strategies: list[str]):
    done = compare("--output", tmp_path / "speed.csv", "--what", what, "--strategies", *strategies)
    assert done.returncode == 0, done.stderr
    first, second = read(tmp_path / "speed.csv")
    assert [first["strategy"], second["strategy"]] == strategies
    # recomputation takes more operations, and tracking leaves out what is not yet queried
    more = int(second["operations"]) > int(first["operations"])
    assert more == (what == "step")
    assert all(float(row["seconds"]) > 0 and float(row["product_rate"]) > 0 for row in (first, second))
    assert strategies[1] in done.stdout


def test_an_unknown_strategy_is_one_sentence(tmp_path: Path):
    done = compare("--output", tmp_path / "speed.csv", "--strategies", "published:int8")
    assert done.returncode == 2
    assert "no strategy 'published:int8'" in done.stderr
    assert "Traceback" not in done.stderr


def test_ratios_are_those_of_one_round():
    rows = pd.DataFrame(
        {
            "round": [0, 0, 1, 1, 2, 2],
            "strategy": ["published", "fast"] * 3,
            "seconds": [10, 5, 40, 20, 10, 4],
            "operations": [100, 80] * 3,
            "product_rate": 20.0,
            "peak_bytes": np.nan,
        }
    )
    table = summary(rows)
    assert table["times as fast"].to_dict() == {"published": 1, "fast": 2}
    assert table["operations"].to_dict() == {"published": 1, "fast": 0.8}
    assert table["of the rate of products"].to_dict() == {"published": 0.5, "fast": 0.8}


TINY_CASE = {"frames": 8, "height": 32, "width": 32}


def track_speed(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Of the smallest clip, once."""
    command = [sys.executable, "benchmarks/tracking_speed.py", *map(str, arguments), "--rounds", "1"]
    command += ["--warm-ups", "0", "--frames", "8", "--sizes", "32x32"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


@pytest.mark.slow
@pytest.mark.parametrize(("longest", "timed"), [(1e9, True), (0, False)])
def test_joint_tracking_is_timed_where_it_does_not_take_too_long(tmp_path: Path, longest: float, timed: bool):
    done = track_speed("points", "--output", tmp_path / "speed.csv", "--points", 2, "--longest", longest)
    assert done.returncode == 0, done.stderr
    rows = read(tmp_path / "speed.csv")
    assert [row["entry"] for row in rows] == ["published", "tracking"]
    assert int(rows[1]["peak_bytes"]) < int(rows[0]["peak_bytes"])
    assert [bool(row["seconds"]) for row in rows] == [timed, timed]
    if timed:
        rate = float(rows[0]["point_frames_per_second"])
        assert rate == pytest.approx(16 / float(rows[0]["seconds"]), rel=1e-3)
    assert all(row["commit"] and row["device"] for row in rows)
    assert str(tmp_path) not in rows[0]["command"]


@pytest.mark.slow
def test_single_points_are_timed_at_once_and_one_by_one(tmp_path: Path):
    ways = ["one-by-one:tracking", "at-once:tracking"]
    done = track_speed("single-point", "--output", tmp_path / "speed.csv", "--points", 2, "--ways", *ways)
    assert done.returncode == 0, done.stderr
    rows = read(tmp_path / "speed.csv")
    assert [row["entry"] for row in rows] == ways
    assert all(float(row["seconds"]) > 0 for row in rows)
    assert "times as fast" in done.stdout


def test_operations_of_single_points():
    """At once, those of encoding count once; two batches of two take as many as one of four."""
    count = partial(single_operations, strategy=Strategy(), case=TINY_CASE)
    alone = count("one-by-one", starts=[0], at_a_time=1)
    four = count("at-once", starts=[0] * 4, at_a_time=4)
    assert count("at-once", starts=[0], at_a_time=4) == alone
    assert count("one-by-one", starts=[0] * 4, at_a_time=1) == 4 * alone
    assert count("at-once", starts=[0] * 4, at_a_time=2) == four
    tracked = (four - alone) // 3
    assert four == alone + 3 * tracked
    assert 0 < tracked < alone
    assert count("at-once", starts=[0, 4], at_a_time=4) == alone + tracked


def test_tracking_is_compared_within_a_round():
    rows = pd.DataFrame(
        {
            "round": [0, 0, 1, 1, 2, 2],
            "entry": ["published", "tracking"] * 3,
            **TINY_CASE,
            "points": 3,
            "seconds": [10, 5, 40, 20, 10, None],
            "point_frames_per_second": [2.4, 4.8, 0.6, 1.2, 2.4, None],
            "operations": [100, 80] * 3,
            "peak_bytes": [2e9, 1e9] * 3,
        }
    )
    table = tracking_summary(rows).set_index("entry")
    assert table["times as fast"].to_dict() == {"published": 1, "tracking": 2}
    assert table["operations, x first"].to_dict() == {"published": 1, "tracking": 0.8}
    assert table["seconds"].to_dict() == {"published": 10, "tracking": 12.5}
