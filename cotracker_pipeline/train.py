"""Train one variant with one seed. Continues where an interrupted training stopped."""

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pandas as pd
import torch
from tqdm import tqdm

from cotracker_pipeline.command import run, say_once
from cotracker_pipeline.config import BOOKKEEPING, Strategy, Study, Variant, load_study
from cotracker_pipeline.data.checksums import digest_of_file
from cotracker_pipeline.data.clips import ClipDataset
from cotracker_pipeline.data.division import Division
from cotracker_pipeline.data.loading import batches
from cotracker_pipeline.errors import UserError
from cotracker_pipeline.evaluation.validation import Validation
from cotracker_pipeline.files import atomic_path
from cotracker_pipeline.models.build import build_model, rebuild_model
from cotracker_pipeline.models.checkpoints import load_weights, save_model
from cotracker_pipeline.models.compilation import compiled
from cotracker_pipeline.models.pretrained import load_pretrained
from cotracker_pipeline.models.tracker import Tracker
from cotracker_pipeline.training.device import use_device
from cotracker_pipeline.training.distributed import ALONE, Team, joined
from cotracker_pipeline.training.fingerprint import fingerprint
from cotracker_pipeline.training.keeper import Keeper
from cotracker_pipeline.training.launching import launch, launched
from cotracker_pipeline.training.loop import LossRow, Training
from cotracker_pipeline.training.not_finite import NotFiniteSteps
from cotracker_pipeline.training.validated import ValidatedTraining, ValidationRow


def main() -> None:
    """Command line."""
    arguments = _parser().parse_args()
    study = load_study(arguments.config)
    variant = study.variant(arguments.variant)
    _check_validation(arguments, study)
    if study.training.processes > 1 and not launched():
        launch(study.training, "cotracker_pipeline.train", sys.argv[1:])
    with joined(study.training) as team:
        train(arguments, study, variant, team)


def train(arguments: argparse.Namespace, study: Study, variant: Variant, team: Team) -> None:
    """Train in this process, one of ``team``."""
    first, *leaner = team.together(lambda: strategies(study, variant, team))
    variant_at_first = variant._replace(strategy=first)
    model = team.together(
        lambda: initial_model(study, variant_at_first, arguments.seed, arguments.warm_start)
    )
    team.share_weights(model)
    training = Training(
        model,
        variant.recipe,
        arguments.seed,
        first,
        announced(leaner),
        rebuilding(study, variant),
        NotFiniteSteps(study.training.on_nan),
        team,
        study.training.accumulate,
    )
    start = arguments.warm_start or study.training.initial_checkpoint
    name = _fingerprint(study, variant, arguments.seed, start)
    validation = Validation(arguments.validation_data, study.training.model, variant.recipe, study.evaluation)
    validated = ValidatedTraining(training, validation, study.training.validate_every)
    keeper = Keeper(validated, arguments.state_dir, name, study.training.save_every, team)
    events = arguments.state_dir.parent / "tensorboard"
    with keeper, logs(study.training.tensorboard and team.first, events, training.step) as log:
        validated.tell = log
        # an error may have ended it after a step that was to be measured
        validated.after_step()
        fit(training, study, variant, arguments.data, _in_turn(validated.after_step, keeper.after_step), log)
        validated.after_last_step()
        if team.first:
            _write(validated, study, variant, arguments)
            keeper.discard()


def _check_validation(arguments: argparse.Namespace, study: Study) -> None:
    """Raise ``UserError`` unless there is something to validate on, and to write to, when the study asks."""
    wanted = study.training.validate_every is not None
    if wanted and not (arguments.validation_data and arguments.validation_curve):
        raise UserError(
            f"{arguments.config}: training.validate_every is {study.training.validate_every}; give "
            "--validation-data and --validation-curve, or remove it and data.validation"
        )
    if not wanted and (arguments.validation_data or arguments.validation_curve):
        raise UserError(
            f"{arguments.config}: training.validate_every is not there; give it and data.validation, or "
            "neither --validation-data nor --validation-curve"
        )


def _in_turn(*hooks: Callable[[], None]) -> Callable[[], None]:
    def all_of_them() -> None:
        for hook in hooks:
            hook()

    return all_of_them


def logs(
    wanted: bool, folder: Path, step: int
) -> AbstractContextManager[Callable[[LossRow | ValidationRow], None]]:
    """Where rows of both curves are told, besides; nowhere unless it is ``wanted``."""
    if not wanted:
        return nullcontext(lambda _: None)
    # only here, as TensorBoard need not be installed
    from cotracker_pipeline.training.event_files import event_file

    return event_file(folder, step)


def _write(
    validated: ValidatedTraining, study: Study, variant: Variant, arguments: argparse.Namespace
) -> None:
    """The curves and the model."""
    training = validated.training
    _write_curve(training.curve, arguments.loss_curve)
    if arguments.validation_curve:
        _write_curve(validated.curve, arguments.validation_curve)
    save_model(
        arguments.output,
        training.model,
        study.training.model,
        variant.recipe,
        variant=variant.name,
        seed=str(training.seed),
        strategy=training.strategy.model_dump_json(),
        **_told_skipped(training.not_finite.skipped),
    )


def _write_curve(rows: Sequence[LossRow] | Sequence[ValidationRow], path: Path) -> None:
    with atomic_path(path) as temporary:
        pd.DataFrame(rows).to_csv(temporary, index=False)


def strategies(study: Study, variant: Variant, team: Team = ALONE) -> list[Strategy]:
    """That of the variant; or, if it is to be chosen, the rungs from the fastest that fits the cards."""
    if not variant.strategy.auto:
        return [variant.strategy]
    # only here, as their imports take long
    from cotracker_pipeline.memory.machine import card_bytes
    from cotracker_pipeline.planning.auto import rungs_from
    from cotracker_pipeline.planning.predictor import predicting
    from cotracker_pipeline.planning.search import Question

    settings = study.training
    recipe = variant.recipe.model_copy(update={"tracks": trained_tracks(study, variant)})
    question = Question(recipe, variant.strategy, settings.part, settings.model, card=study.memory.card)
    card = card_bytes(settings.device)
    # the smallest card of the team decides
    least = None if card is None else -team.greatest(-card)
    with predicting(study.memory.card, settings.accumulate > 1) as predict:
        found = rungs_from(question, least, predict)
    say_once(f"{variant.name} is computed by {_told(found[0])}")
    return found


def announced(leaner: Iterable[Strategy]) -> Iterator[Strategy]:
    """Say so whenever one is taken."""
    for strategy in leaner:
        say_once(f"memory ran out; the step is repeated by {_told(strategy)}")
        yield strategy


def _told(strategy: Strategy) -> str:
    return json.dumps(strategy.model_dump(exclude_defaults=True))


def rebuilding(study: Study, variant: Variant) -> Callable[[Tracker, Strategy], Tracker]:
    """How to compute a model by another strategy."""
    return lambda model, strategy: compiled(
        rebuild_model(model, study.training.model, variant.recipe, strategy), strategy
    )


def initial_model(study: Study, variant: Variant, seed: int, warm_start: Path | None) -> Tracker:
    """Fresh weights that depend on the seed, with the encoder of ``warm_start``, or those of the configured
    ``initial_checkpoint``, if there is one.
    """
    device = use_device(study.training.device, study.training.threads)
    torch.manual_seed(seed)
    model = build_model(study.training.model, variant.recipe, variant.strategy)
    if warm_start is not None:
        load_weights(warm_start, model.fnet)
    if study.training.initial_checkpoint is not None:
        path = study.training.initial_checkpoint
        for warning in load_pretrained(path, model, study.training.model, variant.recipe):
            say_once(warning)
    return compiled(model.to(device), variant.strategy)


def fit(
    training: Training,
    study: Study,
    variant: Variant,
    shards: list[Path],
    after_step: Callable[[], None],
    log: Callable[[LossRow], None] = lambda _: None,
) -> None:
    """Train from where ``training`` is to the end; ``log`` is told every row of the loss curve."""
    settings = study.training
    steps = variant.recipe.steps
    batch_size = settings.clip.batch_size
    team = training.team
    division = Division(batch_size, team.size, team.rank, settings.accumulate)
    data = team.together(
        lambda: ClipDataset(
            shards,
            settings.clip,
            trained_tracks(study, variant),
            training.seed,
            steps * batch_size,
            settings.augmentation,
            settings.skip_damaged,
            settings.pace,
        )
    )

    def clips(step: int) -> str:
        return data.origins(step, batch_size)

    bar = tqdm(total=steps, initial=training.step, desc=variant.name, unit="step", disable=not team.first)
    with bar:

        def show(row: LossRow) -> None:
            bar.set_postfix(loss=f"{row.loss:.3f}", refresh=False)
            bar.update(row.step - bar.n)
            log(row)

        training.run(
            batches(data, division, training.step, settings.workers, settings.read_ahead),
            settings.log_every,
            after_step,
            show,
            clips,
        )


def _told_skipped(steps: list[int]) -> dict[str, str]:
    """What the model's file says about steps that were left out; nothing when none was."""
    if not steps:
        return {}
    say_once(f"{len(steps)} steps were skipped as their loss was not finite: {', '.join(map(str, steps))}")
    return {"skipped_steps": json.dumps(steps)}


def trained_tracks(study: Study, variant: Variant) -> int:
    """Tracks per sample at the scale of the study."""
    return max(1, round(variant.recipe.tracks * study.training.track_factor))


def _fingerprint(study: Study, variant: Variant, seed: int, start: Path | None) -> str:
    """Names a training: what it computes depends on nothing else.

    start: the file of the weights that it starts from; it may change under the same name.
    """
    parts = {
        "recipe": variant.recipe.model_dump(mode="json"),
        "strategy": variant.strategy.model_dump(mode="json"),
        "training": study.training.model_dump(mode="json", exclude=set(BOOKKEEPING)),
        "data": study.data.train.model_dump(mode="json"),
        "seeds": [study.seed, seed],
        "start": None if start is None else digest_of_file(start),
    }
    return fingerprint(parts)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m cotracker_pipeline.train", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="study file")
    parser.add_argument("--variant", required=True, help="one of the study's variants")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--data", type=Path, nargs="+", required=True, metavar="H5", help="training shards")
    parser.add_argument("--warm-start", type=Path, help="encoder of the warm_up step")
    parser.add_argument("--state-dir", type=Path, required=True, help="folder of the state to continue from")
    parser.add_argument("--loss-curve", type=Path, required=True, metavar="CSV", help="file to write")
    parser.add_argument(
        "--validation-data",
        type=Path,
        nargs="+",
        default=[],
        metavar="H5",
        help="shards to evaluate on, if the study has training.validate_every",
    )
    parser.add_argument("--validation-curve", type=Path, metavar="CSV", help="file to write, then, too")
    parser.add_argument("--output", type=Path, required=True, help="model.safetensors to write")
    return parser


if __name__ == "__main__":
    run(main)
