"""Write one table: memory predicted or measured, budgets, accuracy, environment, or an ablation."""

import argparse
from pathlib import Path

from cotracker_pipeline.analysis.ablation_table import ablation_table
from cotracker_pipeline.analysis.accuracy_table import accuracy_table
from cotracker_pipeline.analysis.budgets_table import budgets_table
from cotracker_pipeline.analysis.command import table_parser
from cotracker_pipeline.analysis.environment_table import environment_table
from cotracker_pipeline.analysis.evidence import (
    read_accuracy,
    read_budgets,
    read_floors,
    read_measurements,
    read_predictions,
)
from cotracker_pipeline.analysis.measured_table import measured_table
from cotracker_pipeline.analysis.memory_table import memory_table
from cotracker_pipeline.analysis.tables import Table
from cotracker_pipeline.analysis.writing import write_tables
from cotracker_pipeline.command import run
from cotracker_pipeline.config import Study, load_study
from cotracker_pipeline.errors import UserError

TABLES = ("memory", "measured", "budgets", "accuracy", "environment")


def main() -> None:
    """Command line."""
    arguments = _parser().parse_args()
    write_tables(_table(load_study(arguments.config), arguments), arguments.output)


def _table(study: Study, arguments: argparse.Namespace) -> Table:
    name = arguments.table
    if name == "memory":
        return memory_table(study, read_predictions(arguments.memory))
    if name == "measured":
        return measured_table(
            study, read_measurements(arguments.measured), read_predictions(arguments.memory)
        )
    if name == "budgets":
        if arguments.budgets is None:
            raise UserError("the table budgets needs --budgets; give the file that plan_budgets wrote")
        return budgets_table(study, read_budgets(arguments.budgets))
    if name == "accuracy":
        return accuracy_table(study, read_accuracy(arguments.accuracy), read_floors(arguments.floors))
    if name == "environment":
        return environment_table(study)
    if name not in study.ablations:
        known = ", ".join([*TABLES, *study.ablations])
        raise UserError(f"{arguments.config}: ablations has no '{name}'; choose one of {known}")
    return ablation_table(
        study,
        name,
        read_predictions(arguments.memory),
        read_accuracy(arguments.accuracy),
        read_floors(arguments.floors),
    )


def _parser() -> argparse.ArgumentParser:
    parser = table_parser("tabulate", __doc__)
    parser.add_argument("--table", required=True, help=f"{', '.join(TABLES)}, or the name of an ablation")
    parser.add_argument(
        "--measured", type=Path, nargs="*", default=[], metavar="JSON", help="from measure_memory"
    )
    parser.add_argument("--budgets", type=Path, metavar="JSON", help="from plan_budgets")
    return parser


if __name__ == "__main__":
    run(main)
