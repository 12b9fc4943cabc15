# checkpoints beside their published numbers: what is there of them is evaluated, without training
rule convert_checkpoint:
    input:
        file=lambda wildcards: PUBLISHED_PARTS["checkpoints"][wildcards.checkpoint].file,
    output:
        model=f"{RESULTS}/checkpoints/{{checkpoint}}.safetensors",
    log:
        f"{RESULTS}/logs/convert_checkpoint/{{checkpoint}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/convert_checkpoint/{{checkpoint}}.tsv"
    threads: 1
    resources:
        **job_resources("convert_checkpoint", mem_mb=2000, runtime=10),
    params:
        code=code_of("convert_checkpoint"),
        untold=lambda wildcards: untold(wildcards.checkpoint),
    message:
        "Converting the checkpoint {wildcards.checkpoint}"
    shell:
        "python -m cotracker_pipeline.convert_checkpoint {input.file:q} {params.untold:q}"
        " --output {output.model:q} > {log:q} 2>&1"


rule evaluate_published:
    input:
        data=lambda wildcards: shards_of_set(wildcards.set),
        model=f"{RESULTS}/checkpoints/{{checkpoint}}.safetensors",
    output:
        csv=f"{RESULTS}/published/{{checkpoint}}/{{set}}/evaluation.csv",
    log:
        f"{RESULTS}/logs/evaluate_published/{{checkpoint}}/{{set}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/evaluate_published/{{checkpoint}}/{{set}}.tsv"
    threads: STUDY.training.threads
    resources:
        **job_resources("evaluate_published", mem_mb=16000, runtime=1440, gpu=GPUS),
    params:
        code=code_of("evaluate_published"),
        study=STUDY_FILE,
        evaluation=lambda wildcards: [
            plain(part, without=["baselines"])
            for part in STUDY.published_evaluation(wildcards.checkpoint, wildcards.set)
        ],
    message:
        "Evaluating {wildcards.checkpoint} on {wildcards.set}"
    shell:
        "python -m cotracker_pipeline.evaluate_published --config {params.study:q}"
        " --name {wildcards.checkpoint:q} --set {wildcards.set:q} --checkpoint {input.model:q}"
        " --data {input.data:q} --output {output.csv:q} > {log:q} 2>&1"


rule compare_published:
    input:
        numbers=getattr(STUDY.published, "numbers", []),
        evaluations=published_evaluations,
    output:
        csv=f"{RESULTS}/tables/published.csv",
        markdown=f"{RESULTS}/tables/published.md",
        latex=f"{RESULTS}/tables/published.tex",
        html=report(
            f"{RESULTS}/tables/published.html",
            caption="../report/published.rst",
            category="Tables",
            labels={"table": "published"},
        ),
    log:
        f"{RESULTS}/logs/compare_published.log",
    benchmark:
        f"{RESULTS}/benchmarks/compare_published.tsv"
    threads: 1
    resources:
        **job_resources("compare_published", mem_mb=500, runtime=10),
    params:
        code=code_of("compare_published"),
        study=STUDY_FILE,
        names={part: list(known) for part, known in PUBLISHED_PARTS.items()},
    message:
        "Writing the table of published numbers"
    shell:
        "python -m cotracker_pipeline.compare_published --config {params.study:q}"
        " --numbers {input.numbers:q} --evaluations {input.evaluations:q}"
        " --output {output:q} > {log:q} 2>&1"


# the checkpoints alone, of a study that also trains: snakemake --cores all --configfile FILE -- published
rule published:
    input:
        table_files("published"),
