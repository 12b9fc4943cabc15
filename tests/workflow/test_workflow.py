"""The workflow: its plan, its answers to mistakes, and what makes which job run again."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from running import BIN, ROOT, TINY, as_done, change, cloned, planned, snakemake

from cotracker_pipeline.analysis.sample_size import Spread
from cotracker_pipeline.config import Clip, ModelSize, Study, load_study
from cotracker_pipeline.render import shard_indices


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder to run in, with all that the workflow reads."""
    return cloned(tmp_path)


#: The rules whose jobs take long.
COMPUTED = {
    *("render", "warm_up", "train", "evaluate", "evaluate_baseline", "predict_memory", "measure_memory"),
    "plan_budgets",
}


@pytest.fixture(scope="module")
def done_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return as_done(cloned(tmp_path_factory.mktemp("done")))


@pytest.fixture
def finished(done_once: Path, tmp_path: Path) -> Path:
    """A copy of it, which has nothing to do."""
    return shutil.copytree(done_once, tmp_path, dirs_exist_ok=True)


def test_a_study_that_is_done_has_nothing_to_do(finished: Path) -> None:
    assert planned(finished, "--configfile", TINY) == {}


def test_default_study_is_planned_whole(clone: Path) -> None:
    jobs = planned(clone)
    study = Study.model_validate(yaml.safe_load((clone / "config/config.yaml").read_text()))
    trainings = len(study.variants) * len(study.training.seeds)
    assert jobs["train"] == trainings
    assert jobs["evaluate"] == trainings
    assert jobs["predict_memory"] == jobs["illustrate_timeline"] == len(study.variants)
    assert jobs["tabulate"] == 4 + len(study.ablations)
    assert {
        "render",
        "warm_up",
        "evaluate_baseline",
        "judge",
        "illustrate",
        "illustrate_page",
        "illustrate_clips",
        "illustrate_scenes",
        "summarise",
        "plan_budgets",
        "illustrate_budgets",
        "report",
    } <= set(jobs)


def test_the_study_for_a_workstation_is_planned_whole(clone: Path) -> None:
    name = "config/workstation.yaml"
    jobs = planned(clone, "--configfile", name)
    study = load_study(ROOT / name)
    trainings = len(study.variants) * len(study.training.seeds)
    assert (jobs["train"], jobs["evaluate"], jobs["judge"]) == (trainings, trainings, 1)
    assert jobs["predict_memory"] == len(study.variants)
    change(clone / name, lambda values: values["training"].update(device="cuda"))
    assert planned(clone, "--configfile", name)["measure_memory"] == len(study.variants)


def test_the_study_for_a_workstation_resolves_a_point() -> None:
    """At three times the variances that the default study showed."""
    study = load_study(ROOT / "config/workstation.yaml")
    assert study.data.eval.render is not None
    sample = len(study.training.seeds), study.data.eval.render.sequences
    rows = pd.read_csv(ROOT / "results/reference/two-cores/seed_spread.csv")
    rows = rows[rows["metric"].isin(["average_jaccard", "average_pts_within_thresh"])]
    widths = [
        Spread(3 * row.seed, 3 * row.video, 3 * row.rest).half_width(*sample) for row in rows.itertuples()
    ]
    assert max(widths) < 1.0


@pytest.mark.parametrize("name", ["cotracker3", "cotracker3-offline"])
def test_the_ablation_of_cotracker3_is_planned_whole(name: str, clone: Path) -> None:
    jobs = planned(clone, "--configfile", f"config/{name}.yaml")
    study = load_study(ROOT / f"config/{name}.yaml")
    assert jobs["train"] == jobs["evaluate"] == jobs["predict_memory"] == len(study.variants)
    assert jobs["tabulate"] == 4 + len(study.ablations)
    assert "judge" not in jobs
    assert {"warm_up", "plan_budgets", "illustrate", "report"} <= set(jobs)


def test_the_memory_of_cotracker3_is_that_of_the_published_training() -> None:
    """64 frames and 384 tracks online, 60 and 512 offline in bf16, at the size of the published model."""
    online, offline = (
        load_study(ROOT / f"config/{name}.yaml") for name in ("cotracker3", "cotracker3-offline")
    )
    assert (online.memory.clip, online.recipe.tracks) == (Clip(frames=64), 384)
    assert online.memory.model == ModelSize(architecture="cotracker3-online")
    assert (offline.memory.clip, offline.recipe.tracks) == (Clip(frames=60), 512)
    assert offline.memory.model == ModelSize(architecture="cotracker3-offline")
    assert offline.strategy.precision == online.variant("published").strategy.precision == "bf16"
    assert offline.recipe.query_sampling == "random"
    for study in (online, offline):
        recipe = study.recipe
        assert (recipe.schedule, recipe.weight_decay, recipe.gradient_clip) == ("cosine", 5e-4, 1.0)


def test_an_ablation_needs_its_members_and_the_baseline_only(clone: Path) -> None:
    jobs = planned(clone, "masks")
    assert jobs["train"] == jobs["predict_memory"] == 3
    assert jobs["tabulate"] == 1
    assert "illustrate" not in jobs


def test_measuring_is_a_target_of_its_own(clone: Path) -> None:
    jobs = planned(clone, "measured")
    assert (
        jobs["measure_memory"]
        == jobs["predict_memory"]
        == len(load_study(ROOT / "config/config.yaml").variants)
    )
    assert "train" not in jobs
    assert "measure_memory" not in planned(clone)


def test_budgets_are_a_target_of_their_own(clone: Path) -> None:
    steps = ("plan_budgets", "tabulate", "illustrate_budgets", "budgets")
    assert planned(clone, "budgets") == dict.fromkeys(steps, 1)


def test_a_study_that_trains_on_a_gpu_measures_too(clone: Path) -> None:
    change(clone / TINY, lambda study: study["training"].update(device="cuda"))
    jobs = planned(clone, "--configfile", TINY)
    assert jobs["measure_memory"] == 3
    assert jobs["tabulate"] == 5 + len(
        Study.model_validate(yaml.safe_load((clone / TINY).read_text())).ablations
    )


def test_data_are_a_target_of_their_own(clone: Path) -> None:
    assert planned(clone, "data") == {"render": 10, "data": 1}


def test_scenes_for_a_cluster_are_many_jobs_of_one_kind(clone: Path) -> None:
    """6,000 sequences of the published training's size, each in one shard."""
    scenes = "config/scenes.yaml"
    train = Study.model_validate(yaml.safe_load((clone / scenes).read_text())).data.train.render
    assert train is not None
    assert (train.sequences, train.frames, train.height, train.width) == (6000, 120, 384, 512)
    assert sum(len(shard_indices(train, shard)) for shard in range(train.shards)) == 6000
    assert planned(clone, "--configfile", scenes, "--", "data") == {"render": train.shards + 6, "data": 1}


def test_what_is_in_own_folders_is_an_input(clone: Path) -> None:
    folders = {name: f"own/{name}" for name in ("textures", "meshes")}
    for folder in folders.values():
        (clone / folder / "deeper").mkdir(parents=True)
    change(clone / TINY, lambda study: study["data"]["train"]["render"].update(folders))
    arguments = ("--configfile", TINY, "--", "data")
    for shard in ("train/0", "train/1", "eval/0", "validation/0"):
        path = clone / f"results/tiny/data/{shard}.h5"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    touched = snakemake(clone, "--touch", "--forceall", "--cores", "1", *arguments)
    assert touched.returncode == 0, touched.stdout
    assert "render" not in planned(clone, *arguments)
    (clone / "own/meshes/deeper/cup.obj").touch()
    assert planned(clone, *arguments)["render"] == 2


def test_a_study_on_the_command_line_stands_alone(clone: Path) -> None:
    jobs = planned(clone, "--configfile", TINY)
    assert jobs["predict_memory"] == 3
    assert not (clone / "results/tiny").exists()
    touched = snakemake(clone, "--touch", "--cores", "1", "--configfile", TINY)
    assert touched.returncode == 0, touched.stdout
    assert yaml.safe_load((clone / "results/tiny/study.yaml").read_text()) == yaml.safe_load(
        (clone / TINY).read_text()
    )


def test_lint_is_clean(clone: Path) -> None:
    done = snakemake(clone, "--lint")
    assert done.returncode == 0, done.stdout
    assert "good condition" in done.stdout


def test_formatting_is_that_of_snakefmt() -> None:
    command = [BIN / "snakefmt", "--check", "Snakefile", "workflow"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_schema_is_that_of_the_configuration() -> None:
    schema = json.loads((ROOT / "workflow/schemas/study.schema.json").read_text())
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    assert schema == dialect | json.loads(json.dumps(Study.model_json_schema()))


@pytest.mark.parametrize("study", sorted((ROOT / "config").glob("*.yaml")), ids=lambda path: path.name)
def test_shipped_studies_are_valid(study: Path) -> None:
    if study.name not in ("claims.yaml", "published_numbers.yaml"):
        Study.model_validate(yaml.safe_load(study.read_text()))


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (
            lambda study: study["training"].update(sedes=[1]),
            "training.sedes: unknown key; did you mean 'seeds'?",
        ),
        (lambda study: study["training"].update(seeds="many"), "training.seeds"),
        (
            lambda study: study["ablations"].update(tracks=["tracks-9"]),
            "no 'tracks-9'; did you mean 'tracks-8'?",
        ),
        (lambda study: study.pop("data"), "data: "),
    ],
)
def test_a_mistake_is_one_sentence(edit: Callable[[Any], None], sentence: str, clone: Path) -> None:
    change(clone / TINY, edit)
    done = snakemake(clone, "--dry-run", "--configfile", TINY)
    assert done.returncode != 0
    last = done.stdout.strip().splitlines()[-1]
    assert last.startswith("error: ")
    assert "tiny.yaml" in last
    assert sentence in last
    assert "Traceback" not in done.stdout
    assert not (clone / "results/tiny").exists()


def test_an_unknown_ablation_is_named(clone: Path) -> None:
    done = snakemake(clone, "--dry-run", "traks")
    assert done.returncode != 0
    assert "No rule to produce traks" in done.stdout


def test_a_missing_data_file_is_named(clone: Path) -> None:
    done = snakemake(clone, "--dry-run", "--configfile", "config/article.yaml")
    assert done.returncode != 0
    assert "data/kubric-train.h5" in done.stdout


def test_adding_a_variant_reruns_nothing_else(finished: Path) -> None:
    change(finished / TINY, lambda study: study["variants"].update(radius={"recipe": {"corr_radius": 2}}))
    jobs = planned(finished, "--configfile", TINY)
    assert (jobs["train"], jobs["evaluate"], jobs["predict_memory"]) == (2, 2, 1)
    assert {"render", "warm_up", "evaluate_baseline", "illustrate_scenes", "plan_budgets"}.isdisjoint(jobs)


def test_reordering_variants_computes_nothing_again(finished: Path) -> None:
    """Names decide, not places: only what lists the variants is written again."""
    change(
        finished / TINY,
        lambda study: study.update(
            variants=dict(reversed(study["variants"].items())),
            ablations=dict(reversed(study["ablations"].items())),
        ),
    )
    jobs = planned(finished, "--configfile", TINY)
    assert "tabulate" in jobs
    assert not COMPUTED & set(jobs)


def test_changing_a_variant_reruns_that_variant(finished: Path) -> None:
    change(finished / TINY, lambda study: study["variants"].update({"tracks-8": {"recipe": {"tracks": 4}}}))
    jobs = planned(finished, "--configfile", TINY)
    assert (jobs["train"], jobs["evaluate"], jobs["predict_memory"]) == (2, 2, 1)


def test_adding_a_claim_only_judges_again(finished: Path) -> None:
    change(finished / "config/claims.yaml", lambda values: values["claims"].pop())
    assert set(planned(finished, "--configfile", TINY)) == {"judge", "summarise", "report", "all"}


def test_adding_a_seed_trains_that_seed_only(finished: Path) -> None:
    change(finished / TINY, lambda study: study["training"].update(seeds=[0, 1, 2]))
    assert planned(finished, "--configfile", TINY)["train"] == 3


def test_changing_what_a_cluster_is_asked_for_reruns_nothing(finished: Path) -> None:
    change(finished / TINY, lambda study: study.update(resources={"train": {"mem_mb": 9000}}))
    assert planned(finished, "--configfile", TINY) == {}


def test_changing_what_trainings_do_at_a_fault_or_log_trains_nothing(finished: Path) -> None:
    change(
        finished / TINY,
        lambda study: study["training"].update(on_nan="skip", skip_damaged=True, tensorboard=True),
    )
    assert {"warm_up", "train", "evaluate"}.isdisjoint(planned(finished, "--configfile", TINY))


def without_validation(study: dict[str, Any]) -> None:
    del study["data"]["validation"], study["training"]["validate_every"]


def test_a_study_that_validates_nothing_renders_and_draws_nothing_for_it(clone: Path) -> None:
    arguments = ("--configfile", TINY, "--", "data")
    assert planned(clone, *arguments)["render"] == 4
    shown = snakemake(clone, "--dry-run", "--printshellcmds", "--configfile", TINY).stdout
    assert shown.count("--validation-data results/tiny/data/validation/0.h5 --validation-curve ") == 6
    assert "--validation-figure results/tiny/figures/validation.svg" in shown
    change(clone / TINY, without_validation)
    assert planned(clone, *arguments)["render"] == 3
    assert "validation" not in snakemake(clone, "--dry-run", "-p", "--configfile", TINY).stdout.replace(
        "--validation  --output", ""
    )


def test_validating_trainings_that_are_done_trains_again(tmp_path: Path) -> None:
    """Nobody has their weights of before the end any more; renders are as they are."""
    change(cloned(tmp_path) / TINY, without_validation)
    as_done(tmp_path)
    assert planned(tmp_path, "--configfile", TINY) == {}
    shutil.copy(ROOT / TINY, tmp_path / TINY)
    jobs = planned(tmp_path, "--configfile", TINY)
    assert (jobs["train"], jobs["render"]) == (6, 1)
    assert "warm_up" not in jobs


def test_changing_the_evaluation_trains_nothing(finished: Path) -> None:
    change(finished / TINY, lambda study: study["evaluation"].update(max_tracks=4))
    jobs = planned(finished, "--configfile", TINY)
    assert {"evaluate", "evaluate_baseline", "illustrate_clips"} <= set(jobs)
    assert {"render", "warm_up", "train", "predict_memory"}.isdisjoint(jobs)


@pytest.fixture(scope="module")
def with_package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the tiny study is done, with a copy of the package that may be edited."""
    folder = cloned(tmp_path_factory.mktemp("package"), "cotracker_pipeline")
    return as_done(folder, PYTHONPATH=str(folder))


def test_touching_a_module_reruns_nothing(with_package: Path) -> None:
    (with_package / "cotracker_pipeline/training/losses.py").touch()
    assert planned(with_package, "--configfile", TINY, PYTHONPATH=str(with_package)) == {}


@pytest.mark.parametrize(
    ("module", "again", "kept"),
    [
        ("analysis/figures.py", {"illustrate"}, COMPUTED | {"tabulate", "judge"}),
        ("analysis/budgets_table.py", {"tabulate", "illustrate_budgets", "summarise"}, COMPUTED | {"judge"}),
        ("analysis/accuracy_criteria.py", {"judge"}, COMPUTED | {"tabulate", "illustrate"}),
        ("evaluation/metrics.py", {"evaluate", "evaluate_baseline"}, {"render", "warm_up", "train"}),
        ("training/losses.py", {"train", "evaluate"}, {"render", "evaluate_baseline"}),
        ("data/engine/shading.py", {"render", "train"}, {"predict_memory", "plan_budgets"}),
    ],
)
def test_editing_a_module_reruns_what_depends_on_it(
    module: str, again: set[str], kept: set[str], with_package: Path
) -> None:
    path = with_package / "cotracker_pipeline" / module
    before, times = path.read_text(), path.stat()
    path.write_text(before + "\nEDITED = True\n")
    jobs = planned(with_package, "--configfile", TINY, PYTHONPATH=str(with_package))
    path.write_text(before)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert again <= set(jobs)
    assert not kept & set(jobs)


def test_another_package_only_writes_the_environment_again(with_package: Path) -> None:
    """A version is read from the metadata of its distribution."""
    extra = with_package / "site/made_up-1.0.dist-info"
    extra.mkdir(parents=True)
    (extra / "METADATA").write_text("Metadata-Version: 2.1\nName: made-up\nVersion: 1.0\n")
    both = os.pathsep.join([str(with_package), str(extra.parent)])
    jobs = planned(with_package, "--configfile", TINY, PYTHONPATH=both)
    assert jobs == {"tabulate": 1, "report": 1, "all": 1}
