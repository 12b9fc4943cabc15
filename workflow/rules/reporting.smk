rule tabulate:
    input:
        unpack(table_inputs),
        code=modules("tabulate"),
    output:
        csv=f"{RESULTS}/tables/{{table}}.csv",
        markdown=f"{RESULTS}/tables/{{table}}.md",
        latex=f"{RESULTS}/tables/{{table}}.tex",
        html=report(
            f"{RESULTS}/tables/{{table}}.html",
            caption="../report/table.rst",
            category="Tables",
            labels={"table": "{table}"},
        ),
    log:
        f"{RESULTS}/logs/tabulate/{{table}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/tabulate/{{table}}.tsv"
    threads: 1
    resources:
        **job_resources("tabulate", mem_mb=500, runtime=10),
    params:
        study=STUDY_FILE,
        name=lambda wildcards: wildcards.table.removeprefix("ablation-"),
        variants=lambda wildcards: variants_of(members(wildcards.table)),
        scale={"memory": plain(STUDY.memory), "training": plain(STUDY.training)},
        accuracy=lambda wildcards, input: input.get("accuracy", []),
        floors=lambda wildcards, input: input.get("floors", []),
        memory=lambda wildcards, input: input.get("memory", []),
        measured=lambda wildcards, input: input.get("measured", []),
        environment=lambda wildcards: environment_of(wildcards.table),
        budgets=lambda wildcards, input: (
            ["--budgets", input.budgets] if "budgets" in input.keys() else []
        ),
    message:
        "Writing the table {wildcards.table}"
    shell:
        "python -m cotracker_pipeline.tabulate --config {params.study:q} --table {params.name:q}"
        " --memory {params.memory:q} --measured {params.measured:q} {params.budgets:q}"
        " --accuracy {params.accuracy:q} --floors {params.floors:q} --output {output:q} > {log:q} 2>&1"


rule judge:
    input:
        code=modules("judge"),
        claims=STUDY.claims or [],
        memory=predictions(STUDY.variants),
        accuracy=evaluations(STUDY.variants),
        floors=floors(),
        losses=losses(STUDY.variants),
        step_times=STUDY.step_times or [],
    output:
        csv=f"{RESULTS}/tables/verdicts.csv",
        markdown=f"{RESULTS}/tables/verdicts.md",
        latex=f"{RESULTS}/tables/verdicts.tex",
        html=report(
            f"{RESULTS}/tables/verdicts.html",
            caption="../report/verdicts.rst",
            category="Verdicts",
            labels={"table": "verdicts"},
        ),
    log:
        f"{RESULTS}/logs/judge.log",
    benchmark:
        f"{RESULTS}/benchmarks/judge.tsv"
    threads: 1
    resources:
        **job_resources("judge", mem_mb=500, runtime=10),
    params:
        study=STUDY_FILE,
        variants=variants_of(STUDY.variants),
        scale={"memory": plain(STUDY.memory), "training": plain(STUDY.training)},
    message:
        "Judging the claims"
    shell:
        "python -m cotracker_pipeline.judge --config {params.study:q} --claims {input.claims:q}"
        " --memory {input.memory:q} --accuracy {input.accuracy:q} --floors {input.floors:q}"
        " --losses {input.losses:q} --step-times {input.step_times:q} --output {output:q} > {log:q} 2>&1"


rule illustrate:
    input:
        code=modules("illustrate"),
        memory=predictions(STUDY.variants),
        accuracy=evaluations(STUDY.variants),
        losses=losses(STUDY.variants),
    output:
        memory=report(
            f"{RESULTS}/figures/memory.svg",
            caption="../report/memory.rst",
            category="Figures",
            labels={"figure": "training peak by component"},
        ),
        timelines=report(
            f"{RESULTS}/figures/timelines.svg",
            caption="../report/timelines.rst",
            category="Figures",
            labels={"figure": "memory over a training step"},
        ),
        inference=report(
            f"{RESULTS}/figures/inference.svg",
            caption="../report/inference.rst",
            category="Figures",
            labels={"figure": "inference peaks"},
        ),
        trade_off=report(
            f"{RESULTS}/figures/trade-off.svg",
            caption="../report/trade-off.rst",
            category="Figures",
            labels={"figure": "accuracy against memory"},
        ),
        loss=report(
            f"{RESULTS}/figures/loss.svg",
            caption="../report/loss.rst",
            category="Figures",
            labels={"figure": "training loss"},
        ),
    log:
        f"{RESULTS}/logs/illustrate.log",
    benchmark:
        f"{RESULTS}/benchmarks/illustrate.tsv"
    threads: 1
    resources:
        **job_resources("illustrate", mem_mb=800, runtime=10),
    params:
        study=STUDY_FILE,
        recipe=plain(STUDY.recipe),
        scale={"memory": plain(STUDY.memory), "training": plain(STUDY.training)},
    message:
        "Drawing the figures"
    shell:
        "python -m cotracker_pipeline.illustrate --config {params.study:q}"
        " --memory {input.memory:q} --accuracy {input.accuracy:q} --losses {input.losses:q}"
        " --memory-figure {output.memory:q} --timelines-figure {output.timelines:q}"
        " --inference-figure {output.inference:q}"
        " --trade-off-figure {output.trade_off:q} --loss-figure {output.loss:q} > {log:q} 2>&1"


rule illustrate_timeline:
    input:
        code=modules("illustrate_timeline"),
        memory=f"{RESULTS}/memory/predicted/{{variant}}.json",
    output:
        svg=report(
            f"{RESULTS}/figures/timeline-{{variant}}.svg",
            caption="../report/timeline.rst",
            category="Memory over a training step",
            labels={"variant": "{variant}"},
        ),
    log:
        f"{RESULTS}/logs/illustrate_timeline/{{variant}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/illustrate_timeline/{{variant}}.tsv"
    threads: 1
    resources:
        **job_resources("illustrate_timeline", mem_mb=800, runtime=10),
    params:
        study=STUDY_FILE,
        variant=variant_of,
        scale=plain(STUDY.memory),
    message:
        "Drawing the memory of {wildcards.variant} over a training step"
    shell:
        "python -m cotracker_pipeline.illustrate_timeline --config {params.study:q}"
        " --memory {input.memory:q} --output {output.svg:q} > {log:q} 2>&1"


rule illustrate_budgets:
    input:
        code=modules("illustrate_budgets"),
        budgets=BUDGETS,
    output:
        svg=report(
            BUDGETS_FIGURE,
            caption="../report/budgets.rst",
            category="Figures",
            labels={"figure": "what fits on which card"},
        ),
    log:
        f"{RESULTS}/logs/illustrate_budgets.log",
    benchmark:
        f"{RESULTS}/benchmarks/illustrate_budgets.tsv"
    threads: 1
    resources:
        **job_resources("illustrate_budgets", mem_mb=800, runtime=10),
    params:
        study=STUDY_FILE,
        recipe=plain(STUDY.recipe),
        memory=plain(STUDY.memory),
    message:
        "Drawing what fits on which card"
    shell:
        "python -m cotracker_pipeline.illustrate_budgets --config {params.study:q}"
        " --budgets {input.budgets:q} --output {output.svg:q} > {log:q} 2>&1"


rule illustrate_clip:
    input:
        code=modules("illustrate_clip"),
        data=shards("eval")[0],
        model=f"{RESULTS}/train/{{variant}}/seed-{STUDY.training.seeds[0]}/model.safetensors",
    output:
        html=report(
            f"{RESULTS}/clips/{{variant}}.html",
            caption="../report/clip.rst",
            category="Clips",
            labels={"variant": "{variant}"},
        ),
    log:
        f"{RESULTS}/logs/illustrate_clip/{{variant}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/illustrate_clip/{{variant}}.tsv"
    threads: 1
    resources:
        **job_resources("illustrate_clip", mem_mb=1500, runtime=20),
    params:
        study=STUDY_FILE,
        evaluation=plain(STUDY.evaluation, without=["baselines"]),
    message:
        "Drawing a clip of {wildcards.variant}"
    shell:
        "python -m cotracker_pipeline.illustrate_clip --config {params.study:q}"
        " --variant {wildcards.variant:q} --checkpoint {input.model:q} --data {input.data:q}"
        " --output {output.html:q} > {log:q} 2>&1"


# what the report shows; also what "snakemake --report" is asked for
rule results:
    input:
        all_results(),


rule report:
    input:
        all_results(),
    output:
        html=f"{RESULTS}/report.html",
    log:
        f"{RESULTS}/logs/report.log",
    benchmark:
        f"{RESULTS}/benchmarks/report.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=1000,
        runtime=20,
    params:
        study=STUDY_FILE,
        snakefile=os.path.relpath(workflow.main_snakefile),
    message:
        "Writing the report {output.html}"
    shell:
        "python -m snakemake results --snakefile {params.snakefile:q} --configfile {params.study:q}"
        " --nolock --report {output.html:q} > {log:q} 2>&1"
