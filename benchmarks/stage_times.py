"""What every stage of a finished study took, from the benchmark files that Snakemake left.

python benchmarks/stage_times.py results/default
"""

import argparse
from pathlib import Path

import pandas as pd

COLUMNS = {"jobs": "jobs", "s": "seconds", "cpu_time": "CPU seconds", "max_rss": "largest MB"}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("results", type=Path, help="folder of the study")
    print(stage_times(parser.parse_args().results / "benchmarks").to_markdown(floatfmt=".0f"))


def stage_times(folder: Path) -> pd.DataFrame:
    """One row a rule: jobs, seconds and CPU seconds of all of them, most resident memory of one in MB."""
    jobs = pd.concat(
        pd.read_csv(path, sep="\t", na_values="-").assign(stage=path.relative_to(folder).parts[0], jobs=1)
        for path in sorted(folder.rglob("*.tsv"))
    )
    jobs["stage"] = jobs["stage"].str.removesuffix(".tsv")
    stages = jobs.groupby("stage").agg({"jobs": "sum", "s": "sum", "cpu_time": "sum", "max_rss": "max"})
    return stages.rename(columns=COLUMNS).sort_values("seconds", ascending=False)


if __name__ == "__main__":
    main()
