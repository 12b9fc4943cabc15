"""The command line of the planner."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from small_models import SMALL_KEYS

from cotracker_pipeline import plan
from cotracker_pipeline.command import run
from cotracker_pipeline.config import load_study
from cotracker_pipeline.memory import predict_peak_memory
from cotracker_pipeline.planning import predictor

STUDY = {
    "study": "small",
    "recipe": {"tracks": 20, "iterations": 1, "steps": 10},
    "memory": {
        "model": SMALL_KEYS,
        "clip": {"frames": 8, "height": 64, "width": 96},
        "card": {"context_bytes": 600_000_000, "cublas_bytes": 0},
    },
    "data": {"train": {"files": ["a.h5"]}, "eval": {"files": ["b.h5"]}},
    "variants": {"baseline": {}},
}


@pytest.fixture
def study_file(tmp_path: Path) -> Path:
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(STUDY))
    return path


def test_from_a_question_to_lines_that_a_study_accepts(study_file: Path, tmp_path: Path) -> None:
    """As a user runs it: 150 tracks take more than this card has, unless something is recomputed."""
    command = [sys.executable, "-m", "cotracker_pipeline.plan", "--config", study_file, "--tracks", "150"]
    asked = ["--gpu-memory", "620MiB", "--json", tmp_path / "plan.json"]
    done = subprocess.run([*command, *asked], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    report = json.loads((tmp_path / "plan.json").read_text())
    assert not report["tried"][0]["fits"]
    chosen = report["chosen"]
    assert chosen["fits"]
    assert chosen["smallest_card_bytes"] <= report["card_bytes"] == 620 * 2**20

    _, pasted = done.stdout.split("Paste below variants:\n")
    study_file.write_text(yaml.safe_dump(STUDY, sort_keys=False) + pasted)
    _, recipe, strategy = load_study(study_file).variant("plan-0.6055gb")
    assert recipe.model_dump(mode="json") == chosen["recipe"]
    assert strategy.model_dump(mode="json") == chosen["strategy"]


@pytest.fixture
def outcome(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[object, str, str]]:
    """Run the command in this process: exit status, stdout, stderr."""

    def ask(*arguments: object) -> tuple[object, str, str]:
        monkeypatch.setattr(sys, "argv", ["plan", *map(str, arguments)])
        status: object = 0
        try:
            run(plan.main)
        except SystemExit as end:
            status = end.code
        return status, *capsys.readouterr()

    return ask


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--gpu-memory", "24 apples"], "write it as 24GB"),
        (["--gpu-memory", "0GB"], "give more than 0"),
        (["--gpu-memory", "24GB", "--tracks", "0"], "--tracks '0' is no size"),
        (["--gpu-memory", "24GB", "--frames", "-1"], "--frames '-1' is no size"),
        (["--gpu-memory", "24GB", "--tracks", "1" + "0" * 5000], "from 1 to 1000000"),
        (["--gpu-memory", "24GB", "--batch-size", "many"], "--batch-size 'many' is no size"),
        (["--gpu-memory", "24GB", "--allow", "fp8"], "choose from bf16, no-track-mask, radius, tracks"),
        (["--gpu-memory", "24GB", "--config", "no.yaml"], "no.yaml: cannot be read"),
        (["--gpu-memory", "0.5GB"], "0.5 GiB = 0.54 GB cannot hold the parameters"),
        (["--gpu-memory", "24GB", "--height", "4", "--width", "4"], "choose another size of clip"),
    ],
)
def test_bad_input_is_one_sentence(outcome: Callable, arguments: list[str], sentence: str) -> None:
    status, stdout, stderr = outcome(*arguments)
    assert (status, stdout) == (2, "")
    assert sentence in stderr
    assert stderr.startswith("error: ")
    assert stderr.count("\n") == 1


def test_where_nothing_fits_the_least_allowance_is_named(outcome: Callable, study_file: Path) -> None:
    """600 MB are for context and libraries; 10 MB more hold the parameters, but no step."""
    status, stdout, stderr = outcome("--config", study_file, "--gpu-memory", "582MiB", "--tracks", "150")
    assert status == 1
    assert "chosen" not in stdout
    assert "minimal" in stdout
    assert stderr.startswith("error: nothing fits on 0.5684 GiB = 0.61 GB: the leanest rung (minimal) ")
    assert stderr.count("\n") == 1


def test_a_question_of_batch_size(
    outcome: Callable, study_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def noted(recipe, strategy, clip, model, card, accumulates):
        asked.append((recipe, strategy, clip))
        return predict_peak_memory(recipe, strategy, clip, model, card, accumulates)

    monkeypatch.setattr(predictor, "predict_peak_memory", noted)
    given = ("--config", study_file, "--frames", 4, "--radius", 2, "--batch-size")
    status, stdout, _ = outcome(*given, "max", "--gpu-memory", "630MiB")
    assert status == 0
    size = int(stdout.split("Largest batch on this rung: ")[1].split(",")[0])
    assert size > 1
    assert f"clip: {{batch_size: {size}, frames: 4, height: 64, width: 96}}" in stdout
    assert len(asked) == len(set(asked))

    def fast_fits(batch_size: int) -> bool:
        _, text, _ = outcome(*given, batch_size, "--gpu-memory", "630MiB")
        return any(re.fullmatch("fast .* chosen", line) for line in text.splitlines())

    assert fast_fits(size)
    assert not fast_fits(size + 1)


def test_keeping_the_recipe_and_allowing_something_exclude_each_other(outcome: Callable) -> None:
    status, _, stderr = outcome("--gpu-memory", "24GB", "--keep-recipe", "--allow", "bf16")
    assert status == 2
    assert "not allowed with" in stderr
