"""A configuration is accepted, and planned, or refused in one sentence that names the key."""

import json
import math
import re
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile

import jsonschema
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from running import ROOT, TINY, cloned, snakemake
from studies import VALUES, studies

from cotracker_pipeline.config import Recipe, Strategy, Study, load_study, parse_study
from cotracker_pipeline.errors import UserError

SCHEMA = jsonschema.Draft202012Validator(
    json.loads((ROOT / "workflow/schemas/study.schema.json").read_text())
)
TEXT = (ROOT / TINY).read_text()


def sentence_about(values: dict) -> str | None:
    """None when they are accepted."""
    try:
        parse_study(values, "study.yaml")
    except UserError as error:
        return str(error)
    return None


@settings(deadline=None, max_examples=400)
@given(studies())
def test_what_is_accepted_suits_snakemake_and_what_is_not_is_told(values):
    sentence = sentence_about(values)
    if sentence is None:
        SCHEMA.validate(values)
        Study.model_validate(values).variant("baseline")
    else:
        assert sentence.isprintable()
        assert len(sentence) < 600
        assert re.match(r"study\.yaml: (expected keys|variants must contain|ablations\.|.+: .)", sentence)


KEYS = [
    (name, key)
    for name, section in (("recipe", Recipe), ("strategy", Strategy))
    for key in section.model_fields
]


@pytest.mark.parametrize(("section", "key"), KEYS)
@pytest.mark.parametrize("value", [-5, 0, 0.5, 3, "3", True, None, [], "fp32", ["encoder"]], ids=repr)
def test_a_variant_may_write_what_the_study_may(section, key, value):
    alone = sentence_about({**VALUES, section: {**VALUES.get(section, {}), key: value}})
    variants = {**VALUES["variants"], "mine": {section: {key: value}}}
    of_variant = sentence_about({**VALUES, "variants": variants})
    assert (alone is None) == (of_variant is None)
    if of_variant:
        assert of_variant.startswith(f"study.yaml: variants.mine.{section}")


@pytest.mark.slow
@settings(deadline=None, max_examples=6, derandomize=True, suppress_health_check=list(HealthCheck))
@given(values=studies().filter(lambda values: values != VALUES and sentence_about(values) is None))
def test_what_is_accepted_is_planned(values, tmp_path_factory):
    folder = cloned(tmp_path_factory.mktemp("planned"))
    (folder / "study.yaml").write_text(yaml.safe_dump(values))
    done = snakemake(folder, "--dry-run", "--quiet", "rules", "--configfile", "study.yaml")
    assert "Traceback" not in done.stdout
    # a path of the user's own may lead nowhere, which only the file system knows
    assert done.returncode == 0 or "Missing input files" in done.stdout, done.stdout


@settings(deadline=None, max_examples=150)
@given(st.integers(0, len(TEXT)), st.integers(0, 6), st.text(max_size=6) | st.just("&a [*a]"))
def test_a_file_that_is_damaged_is_told(start, length, other):
    with NamedTemporaryFile() as file:
        file.write((TEXT[:start] + other + TEXT[start + length :]).encode("utf-8", "surrogatepass"))
        file.flush()
        with suppress(UserError):
            load_study(file.name)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "expected keys and values, found NoneType"),
        ("- 1", "expected keys and values, found list"),
        ("study: 2001-99-99", "is not valid YAML (month must be in 1..12)"),
        (TEXT + "a: &a [*a]", "a: unknown key"),
        ("[" * 5000, "is not valid YAML (maximum recursion depth exceeded"),
        ("study: \0", "is not valid YAML ("),
    ],
)
def test_what_is_no_study_is_told(text: str, told: str, tmp_path: Path):
    path = tmp_path / "study.yaml"
    path.write_text(text)
    with pytest.raises(UserError) as caught:
        load_study(path)
    assert str(caught.value).startswith(f"{path}: {told}")


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"training": {"seeds": [1, 1]}}, "training.seeds: 1 is given twice; remove one"),
        ({"training": {"seeds": [-1]}}, "training.seeds.0: Input should be greater than or equal to 0"),
        ({"recipe": {"learning_rate": "5e-4"}}, "recipe.learning_rate: Input should be a valid number"),
        ({"recipe": {"learning_rate": math.inf}}, "recipe.learning_rate: Input should be a finite number"),
        ({"": 1}, "'': unknown key"),
        ({"strategy": {"rung": []}}, "strategy: there is no '[]'; choose one of"),
        ({"study": "x" * 101}, "study: String should have at most 100 characters, found"),
        ({"a\nb" * 50: 1}, "a\\nba\\nb"),
    ],
)
def test_a_mistake_is_named(keys: dict, told: str):
    sentence = sentence_about(VALUES | keys)
    assert sentence is not None
    assert sentence.startswith(f"study.yaml: {told}")


@pytest.mark.parametrize("name", ["all", "train", "memory"])
def test_an_ablation_has_the_name_of_no_other_target_or_table(name: str, tmp_path: Path):
    folder = cloned(tmp_path)
    (folder / "study.yaml").write_text(yaml.safe_dump({**VALUES, "ablations": {name: ["tracks-8"]}}))
    done = snakemake(folder, "--dry-run", "--configfile", "study.yaml")
    assert done.returncode != 0
    assert f"ablations.{name}: there is a target or table of this name" in done.stdout.splitlines()[-1]
