"""A training that is validated: as one that is not, with a curve that survives whatever happens."""

import os
import signal
from pathlib import Path
from typing import get_args

import pandas as pd
import pytest
import torch
from killed_training import InStep, Run, continues, signalled, undisturbed_run
from small_models import TINY
from teams import TeamRun
from tiny_training import CLIP, STEPS, prepare, sequence

from cotracker_pipeline import evaluate, train
from cotracker_pipeline.config import Architecture, Evaluation, Recipe, Strategy, parse_study
from cotracker_pipeline.data.store import write_shard
from cotracker_pipeline.errors import UserError
from cotracker_pipeline.evaluation.benchmark import summarise
from cotracker_pipeline.evaluation.validation import Validation
from cotracker_pipeline.models.build import build_model
from cotracker_pipeline.training.validated import ValidationRow

EVERY = 5
MEASURED = [5, 10, STEPS]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("validated")
    prepare(path, validate_every=EVERY)
    return path


@pytest.fixture(scope="module")
def undisturbed(folder: Path) -> Run:
    return undisturbed_run(folder)


def curve(run: Run) -> pd.DataFrame:
    return pd.read_csv(run.out / "validation.csv")


def test_weights_and_losses_are_those_of_a_training_that_is_not_validated(undisturbed, tmp_path):
    prepare(tmp_path)
    plain = Run(tmp_path, "plain")
    assert plain.finish() == 0, plain.log.read_text()
    assert plain.validation() is None
    assert plain.results() == {**undisturbed.results(), "validation": None}


def test_there_is_a_row_every_so_many_steps_and_after_the_last(undisturbed):
    rows = curve(undisturbed)
    assert list(rows.columns) == list(ValidationRow._fields)
    assert rows["step"].tolist() == MEASURED
    # the model learns, so that no two rows are alike
    assert rows["average_pts_within_thresh"].nunique() == len(MEASURED)
    log = undisturbed.log.read_text()
    assert [f"validation after step {step}: average_jaccard 0." in log for step in MEASURED] == [True] * 3


def test_the_last_row_is_what_evaluate_gives(undisturbed, folder, monkeypatch):
    monkeypatch.chdir(folder)
    checkpoint, output = undisturbed.out / "model", undisturbed.out / "evaluation.csv"
    named = undisturbed.out / "model.safetensors"
    named.write_bytes(checkpoint.read_bytes())
    files = ["--checkpoint", str(named), "--data", "1.h5", "--output", str(output)]
    monkeypatch.setattr("sys.argv", ["evaluate", "--config", "study.yaml", "--variant", "baseline", *files])
    evaluate.main()
    rows = pd.read_csv(output)
    expected = summarise(rows[rows["query_mode"] == "first"])["mean"]
    last = curve(undisturbed).iloc[-1]
    assert last["step"] == STEPS
    for name in ValidationRow._fields[1:]:
        assert last[name] == expected[name]


def killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("step", [5, 7, 11])
def test_a_curve_survives_a_kill(step, folder, undisturbed):
    run = Run(folder, f"killed-{step}")
    assert run.finish(InStep(killed, step)) == -signal.SIGKILL
    continues(run, undisturbed)


def test_a_curve_survives_a_request_to_stop_right_before_its_row(folder, undisturbed):
    run = Run(folder, "asked")
    assert run.finish(signalled(EVERY - 1, signal.SIGTERM)) == 143
    continues(run, undisturbed)


class NoMemory:
    """Memory runs out in the validation after a step."""

    def __init__(self, step: int) -> None:
        self.step = step

    def __call__(self, out: Path) -> None:
        del out
        measured = Validation._row

        def exhausting(validation, model, step):
            if step == self.step:
                raise torch.OutOfMemoryError("that of the card")
            return measured(validation, model, step)

        Validation._row = exhausting


@pytest.mark.parametrize("step", MEASURED)
def test_a_validation_that_fails_is_made_up_for(step, folder, undisturbed):
    run = Run(folder, f"failed-{step}")
    assert run.finish(NoMemory(step)) == 2
    last = run.log.read_text().splitlines()[-1]
    assert last.startswith(f"error: memory ran out in the validation after step {step}; lower evaluation.")
    assert "Traceback" not in run.log.read_text()
    continues(run, undisturbed)


def test_a_training_that_has_begun_is_validated_from_there(tmp_path):
    prepare(tmp_path)
    run = Run(tmp_path, "run")
    assert run.finish(signalled(6, signal.SIGTERM)) == 143
    prepare(tmp_path, validate_every=EVERY)
    assert run.finish() == 0, run.log.read_text()
    assert "another configuration" not in run.log.read_text()
    assert curve(run)["step"].tolist() == [10, STEPS]


def test_a_state_without_a_curve_is_continued(folder, undisturbed):
    """As states were before there were any."""
    run = Run(folder, "older")
    assert run.finish(WithoutCurve(), signalled(6, signal.SIGTERM)) == 143
    assert run.finish() == 0, run.log.read_text()
    assert curve(run)["step"].tolist() == [10, STEPS]
    assert {**run.results(), "validation": None} == {**undisturbed.results(), "validation": None}


class WithoutCurve:
    """States are kept without the validation curve."""

    def __call__(self, out: Path) -> None:
        del out
        from cotracker_pipeline.training.validated import ValidatedTraining

        ValidatedTraining.state = lambda validated: validated.training.state()


def test_of_several_processes_the_first_validates(tmp_path):
    prepare(tmp_path, validate_every=EVERY, devices=2, clip={**CLIP, "batch_size": 2})
    run = TeamRun(tmp_path, "run")
    assert run.finish_all() == [0, 0], run.log.read_text()
    assert curve(run)["step"].tolist() == MEASURED
    assert run.log.read_text().count("validation after step ") == len(MEASURED)


def test_a_validation_that_fails_in_the_first_process_ends_all(tmp_path):
    prepare(tmp_path, validate_every=EVERY, devices=2, clip={**CLIP, "batch_size": 2})
    run = TeamRun(tmp_path, "run")
    assert run.finish_all(NoMemory(10)) == [2, 0]
    assert run.log.read_text().count("error: ") == 1
    assert run.finish_all() == [0, 0], run.log.read_text()
    assert curve(run)["step"].tolist() == MEASURED


@pytest.mark.parametrize("architecture", get_args(Architecture))
def test_the_model_is_left_as_it_is(architecture, tmp_path):
    write_shard(tmp_path / "0.h5", [sequence(0)], {"source": "test", "licence": "none"})
    size = TINY.model_copy(update={"architecture": architecture, "model_resolution": (32, 32)})
    recipe = Recipe(tracks=5)
    model = build_model(size, recipe, Strategy()).train()
    queries = torch.tensor([[[0.0, 9.0, 9.0], [1.0, 20.0, 11.0]]])
    video = torch.randint(0, 256, (1, 6, 3, 32, 32)).float()

    def gradients() -> list[torch.Tensor | None]:
        model.zero_grad()
        coords, *_ = model(video, queries, 2, is_train=True)
        coords.sum().backward()
        return [None if one.grad is None else one.grad.clone() for one in model.parameters()]

    expected = gradients()
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    random = torch.get_rng_state()
    validation = Validation([tmp_path / "0.h5"], size, recipe, Evaluation(iterations=2, support_grid=0))
    assert validation(model, 3).step == 3
    assert torch.equal(torch.get_rng_state(), random)
    assert all(module.training for module in model.modules())
    assert all(one.requires_grad for one in model.parameters())
    for found in ([one.grad for one in model.parameters()], gradients()):
        assert all(a is b is None or torch.equal(a, b) for a, b in zip(found, expected, strict=True))
    assert all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())
    assert torch.is_grad_enabled()


@pytest.mark.parametrize(
    ("modes", "taken"), [(("first", "strided"), 1), (("strided", "first"), 1), (("strided",), 2)]
)
def test_one_query_mode_is_taken(modes, taken, tmp_path, monkeypatch):
    """Strided queries are tracked in both directions."""
    write_shard(tmp_path / "0.h5", [sequence(0)], {"source": "test", "licence": "none"})
    size = TINY.model_copy(update={"model_resolution": (32, 32)})
    model = build_model(size, Recipe(), Strategy())
    calls = []
    kind = type(model)
    track = kind.track
    monkeypatch.setattr(kind, "track", lambda *given: calls.append(1) or track(*given))
    settings = Evaluation(query_modes=modes, iterations=1, support_grid=0, max_tracks=2)
    Validation([tmp_path / "0.h5"], size, Recipe(), settings)(model, 1)
    assert len(calls) == taken


VALIDATED = {"render": {"sequences": 1}}


@pytest.mark.parametrize(
    ("data", "training", "told"),
    [
        (
            {},
            {"validate_every": 1},
            "training.validate_every: give data.validation, the split to evaluate on",
        ),
        ({"validation": VALIDATED}, {}, "data.validation: give training.validate_every, the steps between"),
        (
            {"validation": {"dataset": "davsi"}},
            {"validate_every": 1},
            "data.validation.dataset: datasets has no 'davsi'; did you mean 'davis'?",
        ),
        (
            {"validation": VALIDATED},
            {"validate_every": 0},
            "training.validate_every: Input should be greater",
        ),
    ],
)
def test_one_key_without_the_other_is_refused(data, training, told):
    values = {
        "study": "refused",
        "datasets": {"davis": {"format": "tapvid-davis", "input": "davis"}},
        "data": {"train": {"files": ["0.h5"]}, "eval": {"files": ["1.h5"]}, **data},
        "training": training,
        "variants": {"baseline": {}},
    }
    with pytest.raises(UserError) as caught:
        parse_study(values, "study.yaml")
    assert str(caught.value).startswith(f"study.yaml: {told}")


@pytest.mark.parametrize(
    ("training", "options", "told"),
    [
        ({"validate_every": 1}, [], "training.validate_every is 1; give --validation-data and "),
        ({"validate_every": 1}, ["--validation-data", "1.h5"], "training.validate_every is 1; give "),
        ({}, ["--validation-curve", "validation.csv"], "training.validate_every is not there; give it "),
    ],
)
def test_the_command_line_suits_the_study(training, options, told, tmp_path, monkeypatch):
    study = prepare(tmp_path, **training)
    files = ["--data", "0.h5", "--state-dir", "state", "--loss-curve", "loss.csv", "--output", "model"]
    which = ["--config", str(study), "--variant", "baseline", "--seed", "0"]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["train", *which, *files, *options])
    with pytest.raises(UserError, match=told):
        train.main()
    assert not Path("state").exists()
