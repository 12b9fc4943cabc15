"""The study and what all rules share: validation, paths, what a job depends on."""

import math
import os
import re
import signal
import sys
from pathlib import Path
from threading import Thread

import yaml
from snakemake.utils import validate

from cotracker_pipeline import dependencies, environment
from cotracker_pipeline.config import BOOKKEEPING, Data, parse_study
from cotracker_pipeline.data.published import PUBLISHED, RECORD
from cotracker_pipeline.errors import UserError
from cotracker_pipeline.files import claim, write_text
from cotracker_pipeline.training.stopping import send_to_children

# ".venv/bin/snakemake" without activation: "python" in a rule is the Python of Snakemake
os.environ.update(
    PATH=os.pathsep.join(
        [os.path.dirname(sys.executable), os.environ.get("PATH", os.defpath)]
    )
)

# SLURM may send it before the time limit, to all processes of a job or to Snakemake alone. Trainings heed it, the
# others, which begin with it blocked as well, are to wait for them
signal.signal(signal.SIGUSR1, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})

FORMATS = ("csv", "md", "tex", "html")
TABLES = ("memory", "measured", "budgets", "accuracy", "environment")
FIGURES = ("memory", "timelines", "inference", "trade-off", "loss")
PAGES = ("interactive", "clips", "scenes")


def read_study(values):
    """The checked study; a mistake in it reaches the user as one sentence, without a traceback."""
    try:
        return parse_study(values, SOURCE)
    except UserError as error:
        raise SystemExit(f"error: {error}") from None


def pass_on(request):
    """Give a signal that comes to this process to the steps that it runs, for ever."""
    while True:
        signal.sigwait({request})
        send_to_children(request)


def begin(path, values):
    """Hand the effective configuration to the steps, unless another Snakemake computes the same study.

    Snakemake's own lock is not enough: a run that ends removes those of all others in this folder, too.
    A file that says so already stays as it is.
    """
    try:
        LOCKS.append(claim(Path(path).with_name(".lock"), "another Snakemake"))
    except UserError as error:
        raise SystemExit(f"error: {error}") from None
    text = yaml.safe_dump(values, sort_keys=False, allow_unicode=True)
    if not os.path.isfile(path) or Path(path).read_text(encoding="utf-8") != text:
        write_text(path, text)


def code_of(step):
    """The code of ``step`` as a parameter: when it is edited, the job runs again.

    As inputs its files would be looked up for each job: a third of the time that a large plan takes.
    """
    return dependencies.digest(step)


def say_where_the_report_is():
    """One line at the end; none where only some of the study was asked for."""
    if os.path.isfile(REPORT):
        sys.stderr.write(f"The report: {os.path.abspath(REPORT)}\n")


def plain(section, without=()):
    """A part of the study as a parameter: when it changes, the job runs again.

    Keys that only say which jobs there are, or how often they save, are left out by ``without``.
    """
    return section.model_dump(mode="json", exclude=set(without))


def variant_of(wildcards):
    """Recipe and strategy of the job's variant as a parameter."""
    variant = STUDY.variant(wildcards.variant)
    return {"recipe": plain(variant.recipe), "strategy": plain(variant.strategy)}


def variants_of(names):
    """What the tables say about variants, as a parameter."""
    variants = [STUDY.variant(name) for name in names]
    return {
        one.name: {"recipe": plain(one.recipe), "strategy": plain(one.strategy)}
        for one in variants
    }


def job_resources(rule, mem_mb, runtime, gpu=0):
    """What a job of ``rule`` asks for: the study's word, else ``mem_mb`` (MB) and ``runtime`` (minutes)."""
    chosen = getattr(STUDY.resources, rule)
    site = {"slurm_partition": chosen.partition}
    site |= {"gpu": gpu, "gpu_model": chosen.gpu_model} if gpu else {}
    return {
        "mem_mb": growing(chosen.mem_mb or mem_mb, chosen.max_mem_mb),
        "runtime": growing(chosen.runtime or runtime, chosen.max_runtime),
        **{name: value for name, value in site.items() if value is not None},
    }


def train_resources(mem_mb, runtime):
    """What a job of ``train`` asks for, ``mem_mb`` for each process of a machine."""
    training = STUDY.training
    mem_mb *= training.devices
    if training.processes == 1:
        return job_resources("train", mem_mb, runtime, GPUS)
    asked = {**job_resources("train", mem_mb, runtime), "nodes": training.nodes}
    if GPUS:
        # not as "gpu", of which the default profile lets no job have more than one
        kind = STUDY.resources.train.gpu_model
        asked["gres"] = ":".join(
            ["gpu", *([kind] if kind else []), str(training.devices)]
        )
    if training.nodes > 1:
        # a task on each machine; the executor would take "tasks" for those of a GPU
        asked |= {"mpi": "srun", "tasks": training.nodes, "tasks_per_gpu": 0}
    return asked


def growing(amount, most):
    """A resource of which attempt n asks for n times ``amount``, but not for more than ``most``."""
    return lambda wildcards, attempt: min(amount * attempt, most or math.inf)


def members(table):
    """The variants that a table is about, the baseline first; all for a table that is no ablation."""
    chosen = STUDY.ablations.get(table.removeprefix("ablation-"), STUDY.variants)
    return list(dict.fromkeys(["baseline", *chosen]))


def shards(split):
    """The HDF5 files of a split: given ones, or those that ``render`` or ``convert`` makes."""
    source = getattr(STUDY.data, split)
    if source.files:
        return [str(path) for path in source.files]
    if source.dataset:
        return converted(source.dataset)
    rendered = source.render.shards if source.render else 0
    return [f"{RESULTS}/data/{split}/{shard}.h5" for shard in range(rendered)]


def converted(dataset):
    """The HDF5 files of a data set."""
    return [
        f"{RESULTS}/converted/{dataset}/{shard}.h5"
        for shard in range(STUDY.datasets[dataset].shards)
    ]


def source_of(dataset):
    """What a conversion waits for: the data set, or the record of a download that the study leaves to us.

    Raw data are large, and copying or mounting them makes them look new: their time says nothing, and a folder's
    own nothing of the files below it. The checksums in the shards say what was converted.
    """
    folder = dataset.input
    return str(folder / RECORD) if is_downloaded(dataset) else ancient(str(folder))


def is_downloaded(dataset):
    """Whether the study leaves a data set to us to download."""
    awaited = (
        str(dataset.input) == f"downloads/{dataset.format}"
        and dataset.format in PUBLISHED
    )
    return awaited and PUBLISHED[dataset.format].is_ours(dataset.input)


def codec_of(dataset):
    """How the frames of a data set are stored, where the study says so."""
    return ["--codec", dataset.codec] if dataset.codec else []


def own_files(split):
    """All that lies in the user's own folders of textures and meshes: a change renders again."""
    source = getattr(STUDY.data, split).render
    folders = [folder for folder in (source.textures, source.meshes) if folder]
    return sorted(
        str(path) for folder in folders for path in folder.rglob("*") if path.is_file()
    )


def warm_start():
    """The encoder that all trainings start from, where the study has one."""
    return (
        []
        if STUDY.training.warm_up is None
        else [f"{RESULTS}/train/warm_up/encoder.safetensors"]
    )


def initial_checkpoint():
    """The weights that all trainings start from, where the study names some."""
    path = STUDY.training.initial_checkpoint
    return [] if path is None else [path]


def predictions(variants):
    return [f"{RESULTS}/memory/predicted/{variant}.json" for variant in variants]


def measurements(variants):
    return [f"{RESULTS}/memory/measured/{variant}.json" for variant in variants]


def evaluations(variants):
    return [
        f"{RESULTS}/eval/{variant}/seed-{seed}/evaluation.csv"
        for variant in variants
        for seed in STUDY.training.seeds
    ]


def floors():
    return [
        f"{RESULTS}/eval/baselines/{baseline}/evaluation.csv"
        for baseline in STUDY.evaluation.baselines
    ]


def losses(variants):
    return curves("loss", variants)


def validations(variants):
    """The validation curves, of a study whose trainings are validated."""
    return curves("validation", variants) if VALIDATED else []


def curves(name, variants):
    return [
        f"{RESULTS}/train/{variant}/seed-{seed}/{name}.csv"
        for variant in variants
        for seed in STUDY.training.seeds
    ]


def if_validated(**files):
    """Outputs of a study whose trainings are validated; none of them in another."""
    return files if VALIDATED else {}


def table_inputs(wildcards):
    """What a table is made of: memory, accuracy, or both for an ablation."""
    variants = members(wildcards.table)
    memory = {"memory": predictions(variants)}
    accuracy = {"accuracy": evaluations(variants), "floors": floors()}
    single = {
        "memory": memory,
        "measured": memory | {"measured": measurements(variants)},
        "budgets": {"budgets": BUDGETS},
        "accuracy": accuracy,
        "environment": {},
    }
    return single.get(wildcards.table, memory | accuracy)


def environment_of(table):
    """What the table of the environment says, as a parameter; other tables do not hang on it."""
    if table != "environment":
        return {}
    facts = {"commit": environment.commit(), "packages": environment.packages()}
    return facts | {"study": plain(STUDY, without=["resources"])}


def table_files(table):
    return [f"{RESULTS}/tables/{table}.{suffix}" for suffix in FORMATS]


def present_checkpoints():
    """The names of those whose file is there."""
    parts = PUBLISHED_PARTS["checkpoints"]
    return [name for name, one in parts.items() if one.file.is_file()]


def present_sets():
    """The names of those whose data set is there, or may be downloaded."""
    datasets = {
        name: STUDY.datasets[one.dataset]
        for name, one in PUBLISHED_PARTS["sets"].items()
    }
    return [
        name
        for name, dataset in datasets.items()
        if is_downloaded(dataset) or dataset.input.exists()
    ]


def shards_of_set(name):
    return converted(PUBLISHED_PARTS["sets"][name].dataset)


def published_evaluations(wildcards):
    """Of every checkpoint on every set, where both are there."""
    for part, present, mend in (
        ("checkpoints", present_checkpoints(), "file"),
        ("sets", present_sets(), "input of its dataset"),
    ):
        if not present:
            raise SystemExit(
                f"error: {SOURCE}: published.{part}: of none is the {mend} there; "
                "get one as docs/published.md says, or name where it is"
            )
    return [
        f"{RESULTS}/published/{checkpoint}/{name}/evaluation.csv"
        for name in present_sets()
        for checkpoint in present_checkpoints()
    ]


def untold(checkpoint):
    """What a checkpoint does not say, where the study does: options of its conversion."""
    told = PUBLISHED_PARTS["checkpoints"][checkpoint].untold
    values = told.model_dump(mode="json", exclude_unset=True)
    masked = values.pop("use_attention_mask", None)
    options = [
        word
        for key, value in values.items()
        for word in (
            f"--{key.replace('_', '-')}",
            *(value if isinstance(value, list) else [value]),
        )
    ]
    if masked is None:
        return options
    return [*options, "--use-attention-mask" if masked else "--no-use-attention-mask"]


def all_results():
    """Everything that the report shows."""
    return [
        *(results_of_variants() if STUDY.variants else []),
        *(table_files("published") if STUDY.published else []),
    ]


def results_of_variants():
    tables = [
        "memory",
        "budgets",
        "accuracy",
        "environment",
        *(f"ablation-{name}" for name in STUDY.ablations),
    ]
    tables += ["verdicts"] if STUDY.claims else []
    # a study that trains on a GPU has one to measure on
    tables += ["measured"] if GPUS else []
    return [
        *(file for table in tables for file in table_files(table)),
        *(f"{RESULTS}/figures/{figure}.svg" for figure in FIGURES),
        *([VALIDATION_FIGURE] if VALIDATED else []),
        *(f"{RESULTS}/figures/timeline-{variant}.svg" for variant in STUDY.variants),
        BUDGETS_FIGURE,
        *(f"{RESULTS}/figures/{page}.html" for page in PAGES),
        FRONT_PAGE,
    ]


SOURCE = ", ".join(map(str, workflow.configfiles)) or "configuration"
STUDY = read_study(config)
RESULTS = f"results/{STUDY.study}"
SNAKEFILE = os.path.relpath(
    os.path.join(workflow.current_basedir.get_path_or_uri(True), "../../Snakefile")
)
STUDY_FILE = f"{RESULTS}/study.yaml"
BUDGETS = f"{RESULTS}/memory/budgets.json"
REPORT = f"{RESULTS}/report.html"
FRONT_PAGE = f"{RESULTS}/front_page.html"
BUDGETS_FIGURE = f"{RESULTS}/figures/budgets.svg"
VALIDATION_FIGURE = f"{RESULTS}/figures/validation.svg"
VALIDATED = STUDY.training.validate_every is not None
# what the steps that run a model ask for: trainings on a CPU need not take turns
GPUS = int(STUDY.training.device == "cuda")

# what starts a training on each of its machines; on one it starts its processes itself
LAUNCHER = (
    f"srun --nodes={STUDY.training.nodes} --ntasks={STUDY.training.nodes} --ntasks-per-node=1"
    f" --cpus-per-task={STUDY.training.threads * STUDY.training.devices} --kill-on-bad-exit=1 "
    if STUDY.training.nodes > 1
    else ""
)

# by name, what the section published has of them
PUBLISHED_PARTS = {
    part: getattr(STUDY.published, part, {}) for part in ("checkpoints", "sets")
}

Thread(target=pass_on, args=[signal.SIGUSR1], daemon=True).start()

# held until this process ends
LOCKS = []

validate(config, "../schemas/study.schema.json", set_default=False)


wildcard_constraints:
    split="|".join(Data.model_fields),
    # no name is a dash: a study without data sets converts none
    dataset="|".join(map(re.escape, STUDY.datasets)) or "-",
    shard=r"\d+",
    seed=r"\d+",
    variant="|".join(map(re.escape, STUDY.variants)) or "-",
    checkpoint="|".join(map(re.escape, PUBLISHED_PARTS["checkpoints"])) or "-",
    set="|".join(map(re.escape, PUBLISHED_PARTS["sets"])) or "-",
    baseline="static|lucas-kanade|dis-flow",
    table="|".join(
        map(
            re.escape,
            [*TABLES, *(f"ablation-{name}" for name in STUDY.ablations)],
        )
    ),
