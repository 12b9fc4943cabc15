"""The published study: what it plans, and a small copy of it from the checkpoints to the table."""

import gzip
import importlib.util
import json
import pickle
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
import yaml
from PIL import Image
from running import ROOT, cloned, snakemake
from small_models import TINY, TINY_OF

from cotracker_pipeline.config import Recipe, Strategy
from cotracker_pipeline.evaluation.metrics import tapvid_metrics
from cotracker_pipeline.models.build import build_model
from cotracker_pipeline.models.support_points import support_points
from cotracker_pipeline.models.tracker import Tracker

FIXTURES = ROOT / "tests/fixtures"
STUDY = "config/published.yaml"
TABLE = "results/published/tables/published.csv"
NAMES = {"cotracker2": "cotracker2", "cotracker3-online": "cotracker3-online"}


def golden_rule() -> ModuleType:
    path = ROOT / "tests/golden/model/golden_rule.py"
    spec = importlib.util.spec_from_file_location("golden_rule", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def trained(architecture: str) -> Tracker:
    """A tiny model under the published keys, whose tracks stay near and are visible here and there."""
    recipe = Recipe(use_attention_mask=architecture != "cotracker3-online")
    model = golden_rule().fill_(build_model(TINY_OF[architecture], recipe, Strategy()), seed=5)
    with torch.no_grad():
        for parameter in model.updateformer.flow_head.parameters():
            parameter[:2] *= 0.001
        if architecture != "cotracker2":
            model.updateformer.vis_conf_head.weight *= 0.1
            model.updateformer.vis_conf_head.bias += 0.3
    return model


def replica(root: Path) -> None:
    """Scene A of the miniatures as a split of Dynamic Replica."""
    labels = np.load(FIXTURES / "kubric/0000/0000.npy", allow_pickle=True).item()
    (root / "scene").mkdir(parents=True)
    frames = []
    for number, path in enumerate(sorted((FIXTURES / "kubric/0000/frames").iterdir())):
        content = {
            "img": torch.from_numpy(cv2.imread(str(path))[..., ::-1].copy()),
            "traj_2d": torch.from_numpy(labels["coords"][:, number].copy()),
            "verts_inds_vis": torch.from_numpy(~labels["visibility"][:, number]),
        }
        torch.save(content, root / f"scene/{number}.pth")
        facts = {"sequence_name": "scene", "frame_number": number, "camera_name": "left"}
        frames.append({**facts, "trajectories": {"path": f"scene/{number}.pth"}})
    with gzip.open(root / "frame_annotations_valid.jgz", "wt") as file:
        json.dump(frames, file)


def changed(folder: Path, **inputs: Path) -> dict[str, Any]:
    """The shipped study on the CPU, with the data sets in ``inputs`` and none besides."""
    values = yaml.safe_load((folder / STUDY).read_text())
    values["training"] = {"device": "cpu"}
    for name, chosen in values["published"]["sets"].items():
        if name.endswith("-singly"):
            # one after the other they take long
            chosen["evaluation"]["max_tracks"] = 2
    for name, dataset in values["datasets"].items():
        dataset.update(input=str(inputs.get(name.replace("-", "_"), folder / "nowhere")), shards=1)
    return values


def write(folder: Path, values: dict[str, Any]) -> None:
    (folder / STUDY).write_text(yaml.safe_dump(values, sort_keys=False))


def test_only_what_is_there_is_evaluated(tmp_path: Path) -> None:
    folder = cloned(tmp_path)
    write(folder, changed(folder, davis=FIXTURES / "tapvid_davis", robotap=FIXTURES / "tapvid_robotap"))
    refused = snakemake(folder, "--dry-run", "--configfile", STUDY)
    assert refused.returncode != 0
    last = refused.stdout.strip().splitlines()[-1]
    assert last.startswith("error: ")
    assert "published.checkpoints: of none is the file there" in last
    (folder / "checkpoints").mkdir()
    for name in ("scaled_online", "cotracker2v1"):
        (folder / f"checkpoints/{name}.pth").touch()
    planned = snakemake(folder, "--dry-run", "--configfile", STUDY)
    assert planned.returncode == 0, planned.stdout
    for checkpoint in ("cotracker3-online", "cotracker2.1"):
        for name in ("davis", "robotap", "davis-singly", "robotap-singly"):
            assert f"Evaluating {checkpoint} on {name}" in planned.stdout
    assert planned.stdout.count("Evaluating ") == 8
    for word in ("train", "Rendering", "Predicting", "Downloading", "kinetics"):
        assert word not in planned.stdout.replace(str(folder), "")


def test_the_sets_with_an_address_are_downloaded(tmp_path: Path) -> None:
    folder = cloned(tmp_path)
    (folder / "checkpoints").mkdir()
    (folder / "checkpoints/cotracker2.pth").touch()
    planned = snakemake(folder, "--dry-run", "--configfile", STUDY)
    assert planned.returncode == 0, planned.stdout
    for name in ("tapvid_davis", "tapvid_rgb_stacking", "robotap/robotap"):
        assert f"Downloading https://storage.googleapis.com/dm-tapnet/{name}.zip" in planned.stdout


@pytest.mark.parametrize(
    ("part", "change", "told"),
    [
        ("sets", {"dataset": "davos"}, "published.sets.davis.dataset: datasets has no 'davos'; did you mean"),
        ("sets", {"evaluation": {"query_modes": []}}, "published.sets.davis.evaluation.query_modes: "),
        ("sets", {"metric": "tap-vid"}, "published.sets.davis.metric: unknown key; did you mean 'metrics'?"),
        (
            "checkpoints",
            {"untold": {"heads": 8}},
            "published.checkpoints.cotracker2.untold.heads: unknown key",
        ),
    ],
)
def test_a_mistake_is_one_sentence(part: str, change: dict[str, Any], told: str, tmp_path: Path) -> None:
    folder = cloned(tmp_path)
    values = yaml.safe_load((folder / STUDY).read_text())
    next(iter(values["published"][part].values())).update(change)
    write(folder, values)
    done = snakemake(folder, "--dry-run", "--configfile", STUDY)
    assert done.returncode != 0
    assert told in done.stdout.strip().splitlines()[-1]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small copy, with two of the checkpoints and three of the sets, after its run."""
    folder = cloned(tmp_path_factory.mktemp("published"), "cotracker_pipeline")
    replica(folder / "valid")
    values = changed(
        folder,
        davis=FIXTURES / "tapvid_davis",
        point_odyssey=FIXTURES / "point_odyssey/test",
        dynamic_replica=folder / "valid",
    )
    (folder / "checkpoints").mkdir()
    untold = {"num_heads": TINY.num_heads, "corr_levels": TINY.corr_levels}
    for name, architecture in NAMES.items():
        checkpoint = values["published"]["checkpoints"][name]
        torch.save({"model": trained(architecture).state_dict()}, folder / checkpoint["file"])
        checkpoint["untold"] = {**untold, "model_resolution": list(TINY.model_resolution)}
        if architecture != "cotracker2":
            checkpoint["untold"]["architecture"] = architecture
    write(folder, values)
    made = snakemake(
        folder, "--cores", "all", "--configfile", STUDY, PYTHONPATH=str(ROOT), OMP_NUM_THREADS="1"
    )
    assert made.returncode == 0, made.stdout[-4000:]
    return folder


def officially(model: Tracker, threshold: float, grid: int) -> pd.DataFrame:
    """TAP-Vid DAVIS, queried first, as the published evaluation does it, written anew: one row a video."""
    videos = pickle.loads((FIXTURES / "tapvid_davis/tapvid_davis.pkl").read_bytes())
    return pd.DataFrame([_video(model, threshold, grid, video) for video in videos.values()])


def _video(model: Tracker, threshold: float, grid: int, content: dict[str, np.ndarray]) -> dict[str, float]:
    squares = [
        Image.fromarray(frame).resize((256, 256), Image.Resampling.LANCZOS) for frame in content["video"]
    ]
    frames = torch.from_numpy(np.stack(squares)).permute(0, 3, 1, 2).float()
    kept = ~content["occluded"].all(axis=1)
    tracks, hidden = 255 * content["points"][kept].astype(np.float64), content["occluded"][kept]
    first = hidden.argmin(axis=1)
    at = tracks[np.arange(len(tracks)), first]
    height, width = TINY.model_resolution
    scale = np.array([(width - 1) / 255, (height - 1) / 255])
    queries = np.concatenate([first[:, None], at * scale], axis=1)
    asked = torch.cat([torch.from_numpy(queries).float()[None], support_points(grid, (height, width))], dim=1)
    small = F.interpolate(frames, (height, width), mode="bilinear", align_corners=True)
    with torch.no_grad():
        coords, *shares, _ = model(small[None], asked, iters=6)
    visible = torch.stack(shares).prod(dim=0)[0, :, : len(tracks)].T.numpy() > threshold
    predicted = coords[0, :, : len(tracks)].transpose(0, 1).numpy() / scale
    points = np.concatenate([first[:, None], at[:, ::-1]], axis=1)
    metrics = tapvid_metrics(
        points[None], hidden[None], tracks[None], ~visible[None], predicted[None], "first"
    )
    return {name: float(value[0]) for name, value in metrics.items()}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "threshold", "grid"), [("cotracker2", 0.9, 5), ("cotracker3-online", 0.6, 0)]
)
def test_the_numbers_are_those_of_the_published_evaluation(name, threshold, grid, done):
    table = pd.read_csv(done / TABLE)
    wanted = officially(trained(NAMES[name]), threshold, grid).mean()
    ours = table[(table["set"] == "davis") & (table["query_mode"] == "first") & (table["checkpoint"] == name)]
    values = ours.groupby("measure")["measured"].first()
    assert set(values.index) == {"average_jaccard", "average_pts_within_thresh", "occlusion_accuracy"}
    for measure, value in values.items():
        # a point that lies on a threshold may fall to either side
        assert value == pytest.approx(100 * wanted[measure], abs=0.05)
    assert set(ours["videos"]) == {2}


@pytest.mark.slow
def test_the_table_has_what_is_there_and_what_is_published(done):
    table = pd.read_csv(done / TABLE)
    both = table.dropna(subset=["measured", "published"])
    assert len(both) > 10
    np.testing.assert_allclose(both["difference"], both["measured"] - both["published"])
    sets = {"davis", "davis-singly", "dynamic-replica-singly", "point-odyssey"}
    assert set(table.dropna(subset=["measured"])["set"]) == sets
    assert set(table.dropna(subset=["measured"])["checkpoint"]) == set(NAMES)
    kinetics = table[(table["set"] == "kinetics") & (table["checkpoint"] == "cotracker2")]
    assert list(kinetics["published"]) == [61.8]
    assert kinetics["measured"].isna().all()
    readme = table[(table["checkpoint"] == "cotracker2") & (table["source"] == "cotracker2-readme")]
    facts = readme.set_index(["set", "query_mode", "measure"])["published"]
    assert facts["davis-singly", "strided", "average_jaccard"] == 65.1
    assert facts["dynamic-replica-singly", "frame-0", "accuracy_occ"] == 38.2


@pytest.mark.slow
def test_means_are_those_of_the_evaluations(done):
    table = pd.read_csv(done / TABLE).dropna(subset=["measured"])
    for (checkpoint, name, mode, measure), rows in table.groupby(
        ["checkpoint", "set", "query_mode", "measure"]
    ):
        videos = pd.read_csv(done / f"results/published/published/{checkpoint}/{name}/evaluation.csv")
        mean = videos[videos["query_mode"] == mode][measure].mean()
        assert rows["measured"].iloc[0] == pytest.approx(mean if measure == "median_l2" else 100 * mean)


@pytest.mark.slow
def test_it_is_done_and_another_checkpoint_evaluates_that_one_only(done):
    again = snakemake(done, "--dry-run", "--configfile", STUDY)
    assert "Nothing to be done" in again.stdout
    assert (done / "results/published/report.html").stat().st_size > 10_000
    path = done / "checkpoints/scaled_offline.pth"
    try:
        path.touch()
        more = snakemake(done, "--dry-run", "--configfile", STUDY)
    finally:
        path.unlink()
    assert more.stdout.count("Evaluating cotracker3-offline on") == 4
    assert "Evaluating cotracker2 on" not in more.stdout
