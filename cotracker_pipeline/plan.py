"""What to train on a card: the fastest way of computing a step that fits, and the lines to configure it."""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from cotracker_pipeline.command import run
from cotracker_pipeline.config import Memory, Recipe, Strategy, load_study
from cotracker_pipeline.errors import UserError
from cotracker_pipeline.files import write_text
from cotracker_pipeline.planning.answer import Own, answer, refusal
from cotracker_pipeline.planning.batch import LargestBatch, largest_batch
from cotracker_pipeline.planning.card import card_bytes, check_parameters_fit
from cotracker_pipeline.planning.ladder import ALLOWANCES
from cotracker_pipeline.planning.predictor import predicting
from cotracker_pipeline.planning.report import plan_report
from cotracker_pipeline.planning.search import Plan, Predictor, Question, least_allowance, search

#: The batch size that asks for the largest one.
LARGEST = "max"

#: Of whatever is counted; beyond it sizes in bytes overflow.
LARGEST_SIZE = 1_000_000


def main() -> None:
    """Command line."""
    arguments = _parser().parse_args()
    recipe, strategy, memory = _study(arguments.config)
    own = Own(recipe, strategy, memory.clip)
    question = _question(arguments, recipe, strategy, memory)
    check_parameters_fit(question.recipe, question.model, arguments.gpu_memory)
    with predicting(question.card) as predict:
        plan = search(question, arguments.gpu_memory, predict)
        batch = _batch(plan, predict) if arguments.batch_size == LARGEST else None
        more = None if plan.chosen else least_allowance(question, arguments.gpu_memory, predict)
    if arguments.json is not None:
        write_text(arguments.json, json.dumps(plan_report(plan, batch), indent=2) + "\n")
    print(answer(plan, own, batch))
    if plan.chosen is None:
        _refuse(refusal(plan, more))


def _refuse(sentence: str) -> NoReturn:
    print(f"error: {sentence}", file=sys.stderr)
    sys.exit(1)


def _study(config: Path | None) -> tuple[Recipe, Strategy, Memory]:
    """What the study says, or the published training without one."""
    if config is None:
        return Recipe(), Strategy(), Memory()
    study = load_study(config)
    return study.recipe, study.strategy, study.memory


def _question(arguments: argparse.Namespace, recipe: Recipe, strategy: Strategy, memory: Memory) -> Question:
    batch_size = 1 if arguments.batch_size == LARGEST else arguments.batch_size
    return Question(
        recipe.model_copy(update=_given(tracks=arguments.tracks, corr_radius=arguments.radius)),
        strategy,
        memory.clip.model_copy(
            update=_given(
                batch_size=batch_size,
                frames=arguments.frames,
                height=arguments.height,
                width=arguments.width,
            )
        ),
        memory.model,
        frozenset(arguments.allow),
        memory.card.model_copy(update={"expandable_segments": True} if arguments.expandable_segments else {}),
    )


def _given(**values: int | None) -> dict[str, int]:
    return {key: value for key, value in values.items() if value is not None}


def _batch(plan: Plan, predict: Predictor) -> LargestBatch | None:
    if plan.chosen is None:
        return None
    return largest_batch(plan.question, plan.chosen.rung, plan.card_bytes, predict)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m cotracker_pipeline.plan", description=__doc__)
    parser.add_argument(
        "--gpu-memory",
        type=card_bytes,
        required=True,
        metavar="SIZE",
        help="memory of the card as it is sold: 24GB, 24GiB or 24576MiB; a GB is taken as a GiB",
    )
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="study to plan for (default: the published training)"
    )
    for name, what in (
        ("tracks", "tracks per sample"),
        ("frames", "frames of a clip"),
        ("height", "rows of a frame"),
        ("width", "columns of a frame"),
        ("radius", "correlation radius"),
    ):
        parser.add_argument(f"--{name}", type=_size(name), metavar="N", help=f"{what} (default: the study's)")
    parser.add_argument(
        "--batch-size",
        type=_batch_size,
        metavar="N",
        help=f"clips in a batch (default: the study's); {LARGEST}: also say how many fit on the rung chosen",
    )
    parser.add_argument(
        "--expandable-segments",
        action="store_true",
        help="plan for a training whose allocator has expandable segments: less is lost to fragments",
    )
    _add_allowances(parser)
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write all that was predicted")
    return parser


def _add_allowances(parser: argparse.ArgumentParser) -> None:
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--keep-recipe",
        dest="allow",
        action="store_const",
        const=[],
        help="change only how a step is computed, neither what is learned nor the precision (default)",
    )
    group.add_argument(
        "--allow",
        type=_allowance,
        nargs="+",
        metavar="NAME",
        help=f"what may change where nothing fits without it: {', '.join(ALLOWANCES)}",
    )
    parser.set_defaults(allow=[])


def _allowance(text: str) -> str:
    if text not in ALLOWANCES:
        raise UserError(f"--allow {text!r} is unknown; choose from {', '.join(ALLOWANCES)}")
    return text


def _batch_size(text: str) -> int | str:
    return text if text == LARGEST else _size("batch-size")(text)


def _size(option: str) -> Callable[[str], int]:
    # a UserError and not argparse's own: one sentence without the usage before it
    def size(text: str) -> int:
        if not text.isdecimal() or len(text) > len(str(LARGEST_SIZE)) or not 1 <= int(text) <= LARGEST_SIZE:
            raise UserError(f"--{option} {text!r} is no size; give a whole number from 1 to {LARGEST_SIZE}")
        return int(text)

    return size


if __name__ == "__main__":
    run(main)
