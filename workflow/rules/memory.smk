rule predict_memory:
    output:
        json=f"{RESULTS}/memory/predicted/{{variant}}.json",
    log:
        f"{RESULTS}/logs/predict_memory/{{variant}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/predict_memory/{{variant}}.tsv"
    threads: 1
    resources:
        **job_resources("predict_memory", mem_mb=1500, runtime=20),
    params:
        code=code_of("predict_memory"),
        study=STUDY_FILE,
        variant=variant_of,
        memory=plain(STUDY.memory),
    message:
        "Predicting the memory of {wildcards.variant} at the true size"
    shell:
        "python -m cotracker_pipeline.predict_memory --config {params.study:q}"
        " --variant {wildcards.variant:q} --output {output.json:q} > {log:q} 2>&1"


rule measure_memory:
    output:
        json=f"{RESULTS}/memory/measured/{{variant}}.json",
    log:
        f"{RESULTS}/logs/measure_memory/{{variant}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/measure_memory/{{variant}}.tsv"
    threads: 1
    resources:
        # also where none is found: measurements must not run side by side
        **job_resources("measure_memory", mem_mb=8000, runtime=20, gpu=1),
    params:
        code=code_of("measure_memory"),
        study=STUDY_FILE,
        variant=variant_of,
        memory=plain(STUDY.memory),
    message:
        "Measuring the memory of {wildcards.variant} at the true size"
    shell:
        "python -m cotracker_pipeline.measure_memory --config {params.study:q}"
        " --variant {wildcards.variant:q} --output {output.json:q} > {log:q} 2>&1"


# measured beside predicted, where it is not part of all: snakemake --cores all measured
rule measured:
    input:
        table_files("measured"),


rule plan_budgets:
    output:
        json=BUDGETS,
    log:
        f"{RESULTS}/logs/plan_budgets.log",
    benchmark:
        f"{RESULTS}/benchmarks/plan_budgets.tsv"
    threads: 1
    resources:
        **job_resources("plan_budgets", mem_mb=1500, runtime=60),
    params:
        code=code_of("plan_budgets"),
        study=STUDY_FILE,
        recipe=plain(STUDY.recipe),
        strategy=plain(STUDY.strategy),
        memory=plain(STUDY.memory),
    message:
        "Planning what fits on which card"
    shell:
        "python -m cotracker_pipeline.plan_budgets --config {params.study:q}"
        " --output {output.json:q} > {log:q} 2>&1"


# the planner's table and figure alone: snakemake --cores all budgets
rule budgets:
    input:
        table_files("budgets"),
        BUDGETS_FIGURE,
