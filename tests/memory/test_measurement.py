"""What is measured, on a CPU and, where there is one, on a GPU."""

import json
import subprocess
import sys
import weakref
from datetime import datetime
from pathlib import Path

import pytest
import torch
import yaml
from small_models import SMALL

from cotracker_pipeline import measure_memory
from cotracker_pipeline.command import run
from cotracker_pipeline.config import Clip, ModelSize, Recipe, Strategy, parse_study
from cotracker_pipeline.memory import measurement_cpu, predict_peak_memory
from cotracker_pipeline.memory.assembly import assemble_step
from cotracker_pipeline.memory.measured_step import Case, real_step, take_step
from cotracker_pipeline.memory.measurement import Measurement, attempt
from cotracker_pipeline.memory.measurement_cpu import measure_step_on_cpu
from cotracker_pipeline.memory.measurement_cuda import measure_step_on_cuda
from cotracker_pipeline.memory.query_frames import published_query_frames
from cotracker_pipeline.memory.step import track_training_step
from cotracker_pipeline.predict_memory import memory_report

STUDY = {
    "study": "small",
    "recipe": {"tracks": 20, "iterations": 2, "steps": 10},
    "memory": {
        "model": {
            "window_len": 4,
            "model_resolution": [32, 48],
            "num_virtual_tracks": 4,
            "corr_levels": 2,
            "feature_dim": 16,
            "encoder_widths": [8, 8, 8, 16, 16],
            "hidden_size": 16,
            "num_heads": 2,
            "depth": 1,
        },
        "clip": {"frames": 6, "height": 32, "width": 48},
        "inference_iterations": 1,
    },
    "data": {"train": {"render": {"sequences": 1}}, "eval": {"render": {"sequences": 1}}},
    "variants": {"baseline": {}, "lean": {"strategy": {"checkpoint": ["transformer"]}}},
}

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


@pytest.fixture(scope="module")
def case() -> Case:
    """A step of 60 MB."""
    recipe = Recipe(tracks=150, iterations=2, steps=10)
    return Case(recipe, Strategy(), Clip(frames=8, height=64, width=96), SMALL)


@pytest.fixture(scope="module")
def measured(case: Case) -> Measurement:
    return measure_step_on_cpu(case, warm_up=1, steps=3)


def test_the_tracked_peak_is_that_of_the_tracker(measured, case):
    step = assemble_step(*case, "cpu")
    tracker = track_training_step(step)
    assert measured.status == "measured"
    assert measured.peak_allocated_bytes == tracker.peak.bytes
    assert measured.steady_allocated_bytes == tracker.live_bytes


def test_the_process_holds_what_is_tracked(measured):
    assert measured.peak_resident_bytes - measured.start_resident_bytes > measured.peak_allocated_bytes


def test_every_step_is_timed(measured):
    assert len(measured.step_seconds) == 3
    assert 0 < min(measured.step_seconds) <= measured.seconds_per_step <= max(measured.step_seconds)


def test_a_step_leaves_new_parameters_and_no_gradients(case):
    step = real_step(case, "cpu")
    before = [parameter.clone() for parameter in step.model.parameters()]
    take_step(step)
    after = list(step.model.parameters())
    assert all(parameter.grad is None for parameter in after)
    assert any(not torch.equal(old, new) for old, new in zip(before, after, strict=True))
    assert all(parameter.isfinite().all() for parameter in after)


def test_the_batch_starts_where_it_is_queried(case):
    batch = real_step(case, "cpu").batch
    frames = batch.queries[..., 0].long()
    assert frames[0].tolist() == published_query_frames(frames.shape[1], batch.video.shape[1])
    there = batch.trajectory.take_along_dim(frames[:, None, :, None], dim=1)[:, 0]
    torch.testing.assert_close(there, batch.queries[..., 1:])
    assert batch.queries[..., 1].max() > batch.queries[..., 2].max() > 32
    assert set(batch.visibility.unique().tolist()) == {0, 1}
    assert batch.video.std() > 50


def test_the_memory_of_a_failed_attempt_is_free():
    held = []

    def fail() -> None:
        tensor = torch.zeros(1000)
        held.append(weakref.ref(tensor))
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.\nMore.")

    seen = attempt(fail, lambda message: (message, held[0]()))
    assert seen == ("CUDA out of memory. Tried to allocate 2 GiB.", None)


@pytest.mark.parametrize(
    "message",
    [
        "CUDA error: out of memory",
        "[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: you tried",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
    ],
)
def test_every_way_to_run_out_of_memory_is_a_result(message):
    assert attempt(lambda: raise_(RuntimeError(message)), str) == message


def test_other_errors_are_raised():
    with pytest.raises(RuntimeError, match="shape"):
        attempt(lambda: raise_(RuntimeError("the shape is wrong")), str)


def raise_(error: Exception) -> None:
    raise error


@pytest.fixture
def measure(tmp_path, monkeypatch, capsys):
    """The command line on a study with the given memory section: exit status, report and standard error.

    It starts no process to look at resident memory.
    """
    monkeypatch.setattr(measurement_cpu, "_resident", lambda *_: (100, 200))

    def call(*options: str, memory: dict | None = None) -> tuple[int, dict | None, str]:
        study = STUDY | {"memory": STUDY["memory"] | (memory or {})}
        (tmp_path / "study.yaml").write_text(yaml.safe_dump(study))
        paths = ["--config", tmp_path / "study.yaml", "--output", tmp_path / "out.json"]
        monkeypatch.setattr(sys, "argv", ["measure_memory", *map(str, paths), *options])
        status = 0
        try:
            run(measure_memory.main)
        except SystemExit as stop:
            status = stop.code
        output = tmp_path / "out.json"
        return status, json.loads(output.read_text()) if output.exists() else None, capsys.readouterr().err

    return call


def test_the_report_agrees_with_the_prediction(measure):
    status, report, _ = measure("--variant", "lean", "--device", "cpu", "--steps", "2")
    assert status == 0
    study = parse_study(STUDY, "small")
    predicted = memory_report(study.variant("lean"), study.memory)
    sections = ("model", "recipe", "strategy", "clip")
    for key in ("variant", "peak_allocated_bytes", "inference_peak_allocated_bytes"):
        assert report[key] == predicted[key]
    assert [report[key] for key in sections] == json.loads(json.dumps([predicted[key] for key in sections]))
    for mine, theirs in zip(report["inference"], predicted["inference"], strict=True):
        # only a GPU has blocks
        del theirs["peak_blocks_bytes"]
        assert theirs.items() <= mine.items()
        assert mine["seconds"] > 0
    assert len(report["step_seconds"]) == 2
    assert report["track_frames_per_second"] == pytest.approx(6 * 20 / report["seconds_per_step"])
    assert report["torch"] == torch.__version__
    assert report["device"]
    assert report["peak_resident_bytes"] == 200
    assert (report["driver"], report["cuda"], report["peak_reserved_bytes"]) == (None, None, None)
    assert datetime.fromisoformat(report["date"]).tzinfo is not None


def test_a_report_without_memory_says_so(measure, monkeypatch):
    monkeypatch.setattr(
        measurement_cpu, "real_step", lambda *_: raise_(torch.OutOfMemoryError("out of memory here"))
    )
    status, report, _ = measure("--variant", "baseline", "--device", "cpu")
    assert status == 0
    assert (report["status"], report["message"]) == ("out of memory", "out of memory here")
    assert report["peak_allocated_bytes"] is report["seconds_per_step"] is None
    assert report["track_frames_per_second"] is None
    assert [case["status"] for case in report["inference"]] == ["measured"] * 3


@pytest.mark.parametrize(
    ("options", "memory", "sentence"),
    [
        (["--device", "cpu", "--snapshot", "s.pickle"], {}, "leave it out or choose --device cuda"),
        (
            ["--device", "cpu"],
            {"clip": STUDY["memory"]["clip"] | {"batch_size": 10_000_000}},
            "GB free; measure on a GPU, or give the study a smaller memory section",
        ),
        pytest.param(
            ["--device", "cuda"],
            {},
            "torch sees no GPU here; choose --device cpu",
            marks=pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU"),
        ),
    ],
)
def test_bad_input_is_one_sentence_and_leaves_no_file(measure, options, memory, sentence):
    status, report, errors = measure("--variant", "baseline", *options, memory=memory)
    assert status == 2
    assert sentence in errors
    assert errors.count("\n") == 1
    assert report is None


def test_measuring_loads_neither_data_nor_tables():
    """A machine that is lent for a measurement need not have what only they need."""
    code = (
        "import sys, cotracker_pipeline.measure_memory;"
        "print({'h5py', 'pandas', 'mujoco', 'cv2', 'embreex', 'matplotlib'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "set()", done.stderr


@needs_gpu
@pytest.mark.parametrize("checkpoint", [(), ("encoder", "transformer")])
def test_a_gpu_allocates_what_is_predicted(checkpoint: tuple[str, ...]):
    """Beside what cuBLAS keeps for itself, which the steady state shows."""
    case = Case(
        Recipe(tracks=256),
        Strategy(checkpoint=checkpoint),
        Clip(frames=12, height=192, width=256),
        ModelSize(),
    )
    lasting = track_training_step(assemble_step(*case, "meta")).live_bytes
    measured = measure_step_on_cuda(case, warm_up=2, steps=2)
    predicted = predict_peak_memory(*case)
    libraries = measured.steady_allocated_bytes - lasting
    assert 0 <= libraries < 2e8
    assert measured.peak_allocated_bytes - libraries == pytest.approx(predicted.peak_blocks_bytes, rel=0.02)
    assert measured.peak_reserved_bytes - libraries == pytest.approx(predicted.peak_reserved_bytes, rel=0.05)


@needs_gpu
def test_a_snapshot_is_written(case: Case, tmp_path: Path):
    measure_step_on_cuda(case, warm_up=2, steps=1, snapshot=tmp_path / "snapshot.pickle")
    assert (tmp_path / "snapshot.pickle").stat().st_size > 10_000
