"""Studies on data sets that are converted."""

import os
import shutil
import time
from pathlib import Path

import pytest
import yaml
from running import ROOT, TINY, cloned, snakemake

from cotracker_pipeline.data.store import ShardReader, validate_shard

FIXTURES = ROOT / "tests/fixtures"
SHARDS = ["results/tiny/converted/movi/0.h5", "results/tiny/converted/movi/1.h5"]
ENCODER = "results/tiny/train/warm_up/encoder.safetensors"
BENCHMARK = "results/tiny/converted/davis/0.h5"


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A folder with the tiny study, on miniatures of Kubric and DAVIS."""
    folder = cloned(tmp_path)
    values = yaml.safe_load((folder / TINY).read_text())
    values["datasets"] = {
        "movi": {"format": "kubric", "input": str(FIXTURES / "kubric"), "shards": 2, "codec": "raw"},
        "davis": {"format": "tapvid-davis", "input": str(FIXTURES / "tapvid_davis")},
        "unused": {"format": "robotap", "input": "nowhere"},
    }
    values["data"] = {"train": {"dataset": "movi"}, "eval": {"dataset": "davis"}}
    del values["training"]["validate_every"]
    (folder / TINY).write_text(yaml.safe_dump(values))
    return folder


def test_what_splits_name_is_converted_and_then_done(study: Path) -> None:
    done = snakemake(
        study, "--cores", "1", "--configfile", TINY, "--", *SHARDS, BENCHMARK, PYTHONPATH=str(ROOT)
    )
    assert done.returncode == 0, done.stdout[-3000:]
    for shard, names in zip([*SHARDS, BENCHMARK], [["0000"], ["0001"], ["vid0", "vid1"]], strict=True):
        assert validate_shard(study / shard) == []
        with ShardReader(study / shard) as reader:
            assert reader.names == names
            assert reader.attributes(0)["codec"] == "raw"
    again = snakemake(study, "--cores", "1", "--configfile", TINY, "--", *SHARDS, BENCHMARK)
    assert "Nothing to be done" in again.stdout


def test_the_plan_holds_the_named_sets_only(study: Path) -> None:
    done = snakemake(study, "--dry-run", "--configfile", TINY)
    assert done.returncode == 0, done.stdout
    assert "converted/movi/1.h5" in done.stdout
    assert "converted/davis/0.h5" in done.stdout
    assert "unused" not in done.stdout
    assert "Rendering" not in done.stdout


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"train": {"dataset": "mov"}}, "data.train.dataset: datasets has no 'mov'; did you mean 'movi'?"),
        ({"train": {"dataset": "movi", "files": ["a.h5"]}}, "give either render, dataset or files"),
    ],
)
def test_a_mistake_is_one_sentence(change: dict, sentence: str, study: Path) -> None:
    values = yaml.safe_load((study / TINY).read_text())
    values["data"].update(change)
    (study / TINY).write_text(yaml.safe_dump(values))
    done = snakemake(study, "--dry-run", "--configfile", TINY)
    assert done.returncode != 0
    assert sentence in done.stdout.strip().splitlines()[-1]


def test_an_input_that_is_not_there_is_named(study: Path) -> None:
    values = yaml.safe_load((study / TINY).read_text())
    values["data"]["eval"] = {"dataset": "unused"}
    (study / TINY).write_text(yaml.safe_dump(values))
    done = snakemake(study, "--dry-run", "--configfile", TINY)
    assert done.returncode != 0
    assert "nowhere" in done.stdout


def with_benchmark(study: Path, **changes: str) -> None:
    values = yaml.safe_load((study / TINY).read_text())
    values["datasets"]["davis"].update(changes)
    (study / TINY).write_text(yaml.safe_dump(values))


def test_what_has_a_plain_address_is_downloaded_where_it_is_not_there(study: Path) -> None:
    with_benchmark(study, input="downloads/tapvid-davis")
    planned = snakemake(study, "--dry-run", "--configfile", TINY, "--", BENCHMARK)
    assert planned.returncode == 0, planned.stdout
    assert "Downloading https://storage.googleapis.com/dm-tapnet/tapvid_davis.zip" in planned.stdout
    folder = study / "downloads/tapvid-davis"
    folder.mkdir(parents=True)
    (folder / ".tapvid_davis.zip.partial").touch()
    planned = snakemake(study, "--dry-run", "--configfile", TINY, "--", BENCHMARK)
    assert "Downloading" in planned.stdout
    (folder / "tapvid_davis.pkl").touch()
    planned = snakemake(study, "--dry-run", "--configfile", TINY, "--", BENCHMARK)
    assert planned.returncode == 0, planned.stdout
    assert "Downloading" not in planned.stdout


def test_what_was_downloaded_is_converted(study: Path) -> None:
    with_benchmark(study, input="downloads/tapvid-davis")
    shutil.copytree(FIXTURES / "tapvid_davis", study / "downloads/tapvid-davis")
    (study / "downloads/tapvid-davis/download.json").write_text("{}")
    done = snakemake(study, "--cores", "1", "--configfile", TINY, "--", BENCHMARK, PYTHONPATH=str(ROOT))
    assert done.returncode == 0, done.stdout
    assert validate_shard(study / BENCHMARK) == []


def test_a_set_in_a_folder_of_the_users_own_is_never_downloaded(study: Path) -> None:
    with_benchmark(study, input="elsewhere/tapvid-davis")
    planned = snakemake(study, "--dry-run", "--configfile", TINY, "--", BENCHMARK)
    assert planned.returncode != 0
    assert "elsewhere/tapvid-davis" in planned.stdout
    assert "Downloading" not in planned.stdout


@pytest.fixture
def converted(study: Path) -> Path:
    """The same with its data in a folder of its own, of which the shards were made."""
    shutil.copytree(FIXTURES / "kubric", study / "raw")
    values = yaml.safe_load((study / TINY).read_text())
    values["datasets"]["movi"]["input"] = "raw"
    (study / TINY).write_text(yaml.safe_dump(values))
    for shard in SHARDS:
        (study / shard).parent.mkdir(parents=True, exist_ok=True)
        (study / shard).touch()
    done = snakemake(study, "--touch", "--cores", "1", "--configfile", TINY, "--", *SHARDS)
    assert done.returncode == 0, done.stdout
    return study


def conversions(study: Path, *arguments: str) -> int:
    """How many shards a dry run would convert for the encoder that is trained on them."""
    done = snakemake(study, "--dry-run", "--configfile", TINY, *arguments, "--", ENCODER)
    assert done.returncode == 0, done.stdout
    return done.stdout.count("Converting shard")


def test_raw_data_that_only_look_new_are_not_converted_again(converted: Path) -> None:
    """As after copying or mounting them; and they may be gone once they are converted."""
    later = time.time() + 100
    for path in [converted / "raw", *(converted / "raw").rglob("*")]:
        os.utime(path, (later, later))
    assert conversions(converted) == 0
    shutil.rmtree(converted / "raw")
    assert conversions(converted) == 0


def test_raw_data_that_changed_are_converted_again_when_asked_for(converted: Path) -> None:
    assert conversions(converted, "--forcerun", "convert") == 2
    shutil.rmtree(converted / "results/tiny/converted/movi")
    assert conversions(converted) == 2
