from snakemake.utils import min_version

min_version("9.27")


# a study file stands alone: one given on the command line is not merged into the default
if not workflow.overwrite_configfiles:

    configfile: "config/config.yaml"


report: "workflow/report/study.rst"


# used with --sdm apptainer only; otherwise rules run in the environment that Snakemake runs in
container: "docker://python:3.13"


# the default profile's one GPU a machine must not hold back a cluster
resource_scopes:
    gpu="local",


include: "workflow/rules/common.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/memory.smk"
include: "workflow/rules/training.smk"
include: "workflow/rules/evaluation.smk"
include: "workflow/rules/published.smk"
include: "workflow/rules/reporting.smk"
include: "workflow/rules/ablations.smk"


# only once the jobs are certain: a dry run, or one that is refused, must not change a study that is running
onstart:
    begin(STUDY_FILE, config)


onsuccess:
    say_where_the_report_is()


rule all:
    default_target: True
    input:
        REPORT,
