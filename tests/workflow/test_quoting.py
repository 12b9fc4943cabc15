"""What a user writes reaches a shell as one word, or not at all."""

import re
import shlex
from pathlib import Path

import pytest
import yaml
from running import ROOT, TINY, cloned, snakemake

from cotracker_pipeline.config import parse_study
from cotracker_pipeline.errors import UserError

RULES = sorted((ROOT / "workflow/rules").glob("*.smk"))
SHELL = re.compile(r"^ +shell:\n((?: +f?\".*\n)+)", re.MULTILINE)
# what an f-string puts there itself: the workflow's own words
OWN = {"LAUNCHER"}

ODD = 'it\'s "odd" $(touch hacked) `touch hacked`; touch hacked & *.h5'
NAMES = [
    "two words",
    "$(touch hacked)",
    "`touch hacked`",
    "a;touch hacked",
    "it's",
    'a"b',
    "../up",
    "a|b",
    "",
]


def test_every_word_of_every_rule_is_quoted() -> None:
    shells = [shell for path in RULES for shell in SHELL.findall(path.read_text())]
    words = [word for shell in shells for word in re.findall(r"\{([^{}]+)\}", shell)]
    assert len(shells) == sum(path.read_text().count("shell:") for path in RULES) > 10
    assert [word for word in words if not word.endswith(":q")] == list(OWN)


def test_no_python_of_the_workflow_starts_a_shell() -> None:
    sources = [ROOT / "Snakefile", *RULES, *(ROOT / "cotracker_pipeline").rglob("*.py")]
    found = [
        path for path in sources if re.search(r"shell=True|os\.system|os\.popen|shell\(", path.read_text())
    ]
    assert found == []


def test_a_path_reaches_the_step_as_it_is(tmp_path: Path) -> None:
    folder = cloned(tmp_path)
    study = yaml.safe_load((folder / TINY).read_text())
    study["data"] = {split: {"files": [ODD]} for split in study["data"]}
    study["training"].update(warm_up=None, initial_checkpoint="$(touch hacked).pth")
    (folder / "study.yaml").write_text(yaml.safe_dump(study))
    (folder / ODD).touch()
    (folder / "$(touch hacked).pth").touch()
    target = "results/tiny/train/baseline/seed-0/model.safetensors"
    done = snakemake(folder, "--dry-run", "--printshellcmds", "--configfile", "study.yaml", "--", target)
    assert done.returncode == 0, done.stdout
    (command,) = re.findall(
        r"^Shell command: exec (python -m cotracker_pipeline\.train .*)$", done.stdout, re.MULTILINE
    )
    words = shlex.split(command)
    assert words[words.index("--data") + 1] == ODD
    assert words[words.index("--data") + 2 :][:3] == ["--validation-data", ODD, "--validation-curve"]
    assert not (folder / "hacked").exists()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("key", ["study", "variants", "ablations", "datasets", "partition", "gpu_model"])
def test_a_name_that_a_shell_could_read_is_refused(key: str, name: str) -> None:
    study = yaml.safe_load((ROOT / TINY).read_text())
    if key == "study":
        study["study"] = name
    elif key in ("partition", "gpu_model"):
        study["resources"] = {"train": {key: name}}
    else:
        value = {"variants": {}, "ablations": [], "datasets": {"format": "frames", "input": "here"}}[key]
        study[key] = {**study.get(key, {}), name: value}
    with pytest.raises(UserError, match=key):
        parse_study(study, "study.yaml")
