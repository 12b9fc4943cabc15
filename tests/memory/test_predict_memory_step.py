"""The step predict_memory on its command line."""

import json
import subprocess
import sys

import pytest
import yaml
from small_models import SMALL_KEYS

STUDY = {
    "study": "small",
    "recipe": {"tracks": 20, "iterations": 1, "steps": 10},
    "memory": {
        "model": SMALL_KEYS,
        "clip": {"frames": 8, "height": 64, "width": 96},
        "inference_iterations": 1,
    },
    "data": {
        "train": {"render": {"sequences": 1}},
        "eval": {"render": {"sequences": 1}},
    },
    "variants": {"baseline": {}, "lean": {"strategy": {"checkpoint": ["transformer"]}}},
}


@pytest.fixture
def predict(tmp_path):
    def run(variant: str, study: dict = STUDY) -> subprocess.CompletedProcess:
        (tmp_path / "study.yaml").write_text(yaml.safe_dump(study))
        command = [sys.executable, "-m", "cotracker_pipeline.predict_memory", "--variant", variant]
        paths = ["--config", tmp_path / "study.yaml", "--output", tmp_path / "out.json"]
        return subprocess.run([*command, *paths], capture_output=True, text=True, timeout=120)

    return run


def test_the_report_is_complete(predict, tmp_path):
    done = predict("lean")
    assert done.returncode == 0
    report = json.loads((tmp_path / "out.json").read_text())
    assert report["variant"] == "lean"
    assert sum(report["breakdown"].values()) == report["peak_allocated_bytes"]
    assert report["peak_allocated_bytes"] < report["peak_reserved_bytes"]
    assert report["smallest_card_bytes"] > report["peak_allocated_bytes"] + report["allowance_bytes"]
    assert set(report["peak"]) == {"phase", "module", "operation"}
    assert done.stdout.splitlines() == report["explanation"]
    assert report["flops"] > 0
    cases = [(case["frames"], case["tracks"], case["iterations"]) for case in report["inference"]]
    assert cases == [(8, 20, 1), (8, 6144, 1), (16, 20, 1)]
    assert report["inference_peak_allocated_bytes"] == report["inference"][0]["peak_allocated_bytes"]
    assert report["strategy"]["checkpoint"] == ["transformer"]
    assert report["recipe"]["tracks"] == 20
    assert (report["model"]["depth"], report["clip"]["frames"]) == (1, 8)


def test_the_timeline_and_the_holders_agree_with_the_peak(predict, tmp_path):
    assert predict("baseline").returncode == 0
    text = (tmp_path / "out.json").read_text()
    assert len(text) < 60_000
    report = json.loads(text)
    peak = report["peak_allocated_bytes"]
    timeline = report["timeline"]
    totals = [sum(sizes) for sizes in zip(*timeline["components"].values(), strict=True)]
    assert len(totals) == len(timeline["positions"]) <= 400
    assert max(totals) == peak
    at_peak = {name: sizes[totals.index(peak)] for name, sizes in timeline["components"].items()}
    assert {name: size for name, size in at_peak.items() if size} == report["breakdown"]
    assert [phase["name"] for phase in timeline["phases"]] == ["forward", "backward", "clip", "optimiser"]
    assert sum(holder["bytes"] for holder in report["holders"]) == peak
    assert len(report["explanation"]) == 1 + len(report["holders"])
    # a line a list of numbers
    assert text.count("\n") < 300


@pytest.mark.parametrize(
    ("variant", "clip", "sentence"),
    [
        ("leen", {}, "did you mean 'lean'?"),
        ("baseline", {"height": 4, "width": 4}, "choose another size of clip"),
    ],
)
def test_bad_input_is_one_sentence_and_leaves_no_file(predict, tmp_path, variant, clip, sentence):
    memory = STUDY["memory"] | {"clip": STUDY["memory"]["clip"] | clip}
    result = predict(variant, STUDY | {"memory": memory})
    assert result.returncode == 2
    assert sentence in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "out.json").exists()
