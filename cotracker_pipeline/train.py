"""Train one variant with one seed. Continues where an interrupted training stopped."""

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Iterator
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


def main() -> None:
    """Command line."""
    arguments = _parser().parse_args()
    study = load_study(arguments.config)
    variant = study.variant(arguments.variant)
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
    keeper = Keeper(training, arguments.state_dir, name, study.training.save_every, team)
    events = arguments.state_dir.parent / "tensorboard"
    with keeper, logs(study.training.tensorboard and team.first, events, training.step) as log:
        fit(training, study, variant, arguments.data, keeper.after_step, log)
        if team.first:
            _write(training, study, variant, arguments)
            keeper.discard()


def logs(wanted: bool, folder: Path, step: int) -> AbstractContextManager[Callable[[LossRow], None]]:
    """Where rows of the loss curve are told, besides; nowhere unless it is ``wanted``."""
    if not wanted:
        return nullcontext(lambda _: None)
    # only here, as TensorBoard need not be installed
    from cotracker_pipeline.training.event_files import event_file

    return event_file(folder, step)


def _write(training: Training, study: Study, variant: Variant, arguments: argparse.Namespace) -> None:
    """The loss curve and the model."""
    with atomic_path(arguments.loss_curve) as temporary:
        pd.DataFrame(training.curve).to_csv(temporary, index=False)
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
    parser.add_argument("--output", type=Path, required=True, help="model.safetensors to write")
    return parser


if __name__ == "__main__":
    run(main)
