"""Event files of trainings, as TensorBoard reads them."""

import builtins
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from tiny_training import STEPS, prepare

from cotracker_pipeline import train
from cotracker_pipeline.errors import UserError
from cotracker_pipeline.training.event_files import event_file
from cotracker_pipeline.training.loop import LossRow
from cotracker_pipeline.training.validated import ValidationRow


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """(step, value) of every scalar."""
    module = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator", reason="tensorboard is not installed"
    )
    events = module.EventAccumulator(str(folder)).Reload()
    return {
        name: [(event.step, event.value) for event in events.Scalars(name)]
        for name in events.Tags()["scalars"]
    }


def trained(folder: Path, monkeypatch: pytest.MonkeyPatch, **training: Any) -> Path:
    study = prepare(folder, **training)
    out = folder / "baseline"
    given = {"--config": study, "--variant": "baseline", "--seed": 0, "--state-dir": out / "state"}
    given |= {"--loss-curve": out / "loss.csv", "--output": out / "model.safetensors"}
    arguments = [str(part) for pair in given.items() for part in pair]
    monkeypatch.chdir(folder)
    if "validate_every" in training:
        arguments += ["--validation-data", "1.h5", "--validation-curve", str(out / "validation.csv")]
    monkeypatch.setattr("sys.argv", ["train", *arguments, "--data", "0.h5", "1.h5"])
    train.main()
    return out


def test_a_training_writes_its_loss_curve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tensorboard", reason="tensorboard is not installed")
    out = trained(tmp_path, monkeypatch, tensorboard=True)
    curve = pd.read_csv(out / "loss.csv")
    found = scalars(out / "tensorboard")
    assert set(found) == {f"training/{name}" for name in curve.columns if name != "step"}
    assert [step for step, _ in found["training/loss"]] == list(curve["step"])
    assert [value for _, value in found["training/loss"]] == pytest.approx(list(curve["loss"]), rel=1e-6)
    assert curve["step"].iloc[-1] == STEPS


def test_a_training_that_is_validated_writes_that_curve_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("tensorboard", reason="tensorboard is not installed")
    out = trained(tmp_path, monkeypatch, tensorboard=True, validate_every=5)
    curve = pd.read_csv(out / "validation.csv")
    assert list(curve["step"]) == [5, 10, STEPS]
    found = scalars(out / "tensorboard")
    for name in ValidationRow._fields[1:]:
        steps, values = zip(*found[f"validation/{name}"], strict=True)
        assert list(steps) == list(curve["step"])
        assert list(values) == pytest.approx(list(curve[name]), rel=1e-6)


def test_a_training_writes_none_unasked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not (trained(tmp_path, monkeypatch) / "tensorboard").exists()


def test_what_is_trained_again_counts_once(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="tensorboard is not installed")
    for first, steps in ((0, (1, 2, 3)), (2, (3, 4))):
        with event_file(tmp_path, first) as write:
            for step in steps:
                write(LossRow(step, 10 * first + step, 0, 0, 0, 0, 0))
    assert scalars(tmp_path)["training/loss"] == [(1, 1), (2, 2), (3, 23), (4, 24)]


def test_without_tensorboard_it_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def missing(name: str, *arguments: Any, **options: Any) -> Any:
        if name.startswith("torch.utils.tensorboard"):
            raise ImportError(name)
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(UserError, match="TensorBoard is not installed"), event_file(tmp_path, 0):
        pass
