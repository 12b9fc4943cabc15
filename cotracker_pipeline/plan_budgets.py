"""Plan for cards of several sizes: the fastest configuration that fits, the recipe kept and not."""

import argparse
import json
from pathlib import Path

from cotracker_pipeline.command import run
from cotracker_pipeline.config import load_study
from cotracker_pipeline.files import write_text
from cotracker_pipeline.planning.budgets import CARDS, budgets
from cotracker_pipeline.planning.predictor import predicting
from cotracker_pipeline.planning.search import Question


def main() -> None:
    """Command line."""
    arguments = _parser().parse_args()
    study = load_study(arguments.config)
    memory = study.memory
    question = Question(study.recipe, study.strategy, memory.clip, memory.model, card=memory.card)
    with predicting(memory.card) as predict:
        report = {"budgets": list(budgets(question, CARDS, predict))}
    write_text(arguments.output, json.dumps(report, indent=2) + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m cotracker_pipeline.plan_budgets", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="study file")
    parser.add_argument("--output", type=Path, required=True, metavar="JSON", help="file to write")
    return parser


if __name__ == "__main__":
    run(main)
