"""A training on several nodes of a real SLURM: the same loss curve as on one."""

from pathlib import Path

import miniature
import numpy as np
import pandas as pd
import pytest
import yaml

pytestmark = [pytest.mark.slurm, pytest.mark.slow]

CURVE = miniature.RESULTS / "train/baseline/seed-0/loss.csv"
STEPS = 4


@pytest.mark.usefixtures("cluster")
def test_two_nodes_train_as_one_process(tmp_path: Path) -> None:
    curves = [trained(tmp_path / name, **keys) for name, keys in CASES.items()]
    assert len(curves[0]) == STEPS
    np.testing.assert_allclose(curves[1], curves[0], rtol=1e-4)


CASES: dict[str, dict[str, int]] = {"alone": {}, "spread": {"nodes": 2}}


def trained(folder: Path, **keys: int) -> pd.DataFrame:
    """The loss curve of a training in ``folder`` with these ``keys``."""
    folder.mkdir()
    miniature.prepared(folder)
    path = folder / miniature.STUDY
    study = yaml.safe_load(path.read_text())
    study["recipe"]["steps"] = STEPS
    study["training"].update(keys)
    study["training"]["clip"]["batch_size"] = 4
    path.write_text(yaml.safe_dump(study))
    before = miniature.last_job()
    miniature.on_cluster(folder, "--", str(CURVE))
    job = next(job for job in miniature.jobs(before) if job.rule.startswith("rule_train_"))
    assert job.state == "COMPLETED"
    # "node[1-2]" where there are two
    assert ("-" in job.node or "," in job.node) == ("nodes" in keys)
    return pd.read_csv(folder / CURVE).drop(columns="seconds")
