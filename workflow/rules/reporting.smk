rule tabulate:
    input:
        unpack(table_inputs),
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
        code=code_of("tabulate"),
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
        code=code_of("judge"),
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
        memory=predictions(STUDY.variants),
        accuracy=evaluations(STUDY.variants),
        losses=losses(STUDY.variants),
        validation=validations(STUDY.variants),
    output:
        **if_validated(
            validation=report(
                VALIDATION_FIGURE,
                caption="../report/validation.rst",
                category="Figures",
                labels={"figure": "validation curves"},
            )
        ),
        memory=f"{RESULTS}/figures/memory.svg",
        timelines=report(
            f"{RESULTS}/figures/timelines.svg",
            caption="../report/timelines.rst",
            category="Figures",
            labels={"figure": "memory over the step, all variants"},
        ),
        inference=f"{RESULTS}/figures/inference.svg",
        trade_off=f"{RESULTS}/figures/trade-off.svg",
        loss=f"{RESULTS}/figures/loss.svg",
    log:
        f"{RESULTS}/logs/illustrate.log",
    benchmark:
        f"{RESULTS}/benchmarks/illustrate.tsv"
    threads: 1
    resources:
        **job_resources("illustrate", mem_mb=800, runtime=10),
    params:
        code=code_of("illustrate"),
        study=STUDY_FILE,
        recipe=plain(STUDY.recipe),
        scale={"memory": plain(STUDY.memory), "training": plain(STUDY.training)},
        validation=lambda wildcards, input, output: (
            [
                *("--validation", *input.validation),
                *("--validation-figure", output.validation),
            ]
            if VALIDATED
            else []
        ),
    message:
        "Drawing the figures"
    shell:
        "python -m cotracker_pipeline.illustrate --config {params.study:q}"
        " --memory {input.memory:q} --accuracy {input.accuracy:q} --losses {input.losses:q}"
        " --memory-figure {output.memory:q} --timelines-figure {output.timelines:q}"
        " --inference-figure {output.inference:q}"
        " --trade-off-figure {output.trade_off:q} --loss-figure {output.loss:q}"
        " {params.validation:q} > {log:q} 2>&1"


rule illustrate_timeline:
    input:
        memory=f"{RESULTS}/memory/predicted/{{variant}}.json",
    output:
        svg=f"{RESULTS}/figures/timeline-{{variant}}.svg",
    log:
        f"{RESULTS}/logs/illustrate_timeline/{{variant}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/illustrate_timeline/{{variant}}.tsv"
    threads: 1
    resources:
        **job_resources("illustrate_timeline", mem_mb=800, runtime=10),
    params:
        code=code_of("illustrate_timeline"),
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
        code=code_of("illustrate_budgets"),
        study=STUDY_FILE,
        recipe=plain(STUDY.recipe),
        memory=plain(STUDY.memory),
    message:
        "Drawing what fits on which card"
    shell:
        "python -m cotracker_pipeline.illustrate_budgets --config {params.study:q}"
        " --budgets {input.budgets:q} --output {output.svg:q} > {log:q} 2>&1"


# drawn once more than "illustrate" does: those figures are for documents, this page is for the report
rule illustrate_page:
    input:
        memory=predictions(STUDY.variants),
        accuracy=evaluations(STUDY.variants),
        losses=losses(STUDY.variants),
        validation=validations(STUDY.variants),
    output:
        html=report(
            f"{RESULTS}/figures/interactive.html",
            caption="../report/interactive.rst",
            category="Figures",
            labels={"figure": "accuracy, memory, loss (interactive)"},
        ),
    log:
        f"{RESULTS}/logs/illustrate_page.log",
    benchmark:
        f"{RESULTS}/benchmarks/illustrate_page.tsv"
    threads: 1
    resources:
        **job_resources("illustrate_page", mem_mb=1500, runtime=10),
    params:
        code=code_of("illustrate_page"),
        study=STUDY_FILE,
        variants=variants_of(STUDY.variants),
        scale={"memory": plain(STUDY.memory), "training": plain(STUDY.training)},
    message:
        "Drawing the interactive figures"
    shell:
        "python -m cotracker_pipeline.illustrate_page --config {params.study:q}"
        " --memory {input.memory:q} --accuracy {input.accuracy:q} --losses {input.losses:q}"
        " --validation {input.validation:q} --output {output.html:q} > {log:q} 2>&1"


rule illustrate_clips:
    input:
        data=shards("eval")[:1],
        models=[
            f"{RESULTS}/train/{variant}/seed-{STUDY.training.seeds[0]}/model.safetensors"
            for variant in STUDY.variants
        ],
    output:
        html=report(
            f"{RESULTS}/figures/clips.html",
            caption="../report/clips.rst",
            category="Clips",
            labels={"page": "tracks of every variant"},
        ),
    log:
        f"{RESULTS}/logs/illustrate_clips.log",
    benchmark:
        f"{RESULTS}/benchmarks/illustrate_clips.tsv"
    threads: 1
    resources:
        **job_resources("illustrate_clips", mem_mb=1500, runtime=60, gpu=GPUS),
    params:
        code=code_of("illustrate_clips"),
        study=STUDY_FILE,
        evaluation=plain(STUDY.evaluation, without=["baselines"]),
    message:
        "Tracking clips with every variant"
    shell:
        "python -m cotracker_pipeline.illustrate_clips --config {params.study:q}"
        " --checkpoints {input.models:q} --data {input.data:q}"
        " --output {output.html:q} > {log:q} 2>&1"


rule illustrate_scenes:
    input:
        train=shards("train")[:1],
        eval=shards("eval")[:1],
    output:
        html=report(
            f"{RESULTS}/figures/scenes.html",
            caption="../report/scenes.rst",
            category="Scenes",
            labels={"page": "samples of both splits"},
        ),
    log:
        f"{RESULTS}/logs/illustrate_scenes.log",
    benchmark:
        f"{RESULTS}/benchmarks/illustrate_scenes.tsv"
    threads: 1
    resources:
        **job_resources("illustrate_scenes", mem_mb=800, runtime=10),
    params:
        code=code_of("illustrate_scenes"),
    message:
        "Sampling the scenes"
    shell:
        "python -m cotracker_pipeline.illustrate_scenes --train {input.train:q} --eval {input.eval:q}"
        " --output {output.html:q} > {log:q} 2>&1"


rule summarise:
    input:
        budgets=BUDGETS,
        memory=predictions(STUDY.variants),
        measured=measurements(STUDY.variants) if GPUS else [],
        accuracy=evaluations(STUDY.variants),
        verdicts=f"{RESULTS}/tables/verdicts.csv" if STUDY.claims else [],
    output:
        html=report(
            FRONT_PAGE,
            caption="../report/front_page.rst",
            category="Answers",
            labels={"page": "which configuration for my card"},
        ),
    log:
        f"{RESULTS}/logs/summarise.log",
    benchmark:
        f"{RESULTS}/benchmarks/summarise.tsv"
    threads: 1
    resources:
        **job_resources("summarise", mem_mb=500, runtime=10),
    params:
        code=code_of("summarise"),
        study=STUDY_FILE,
        variants=variants_of(STUDY.variants),
        scale={"memory": plain(STUDY.memory), "training": plain(STUDY.training)},
        verdicts=lambda wildcards, input: (
            ["--verdicts", input.verdicts] if input.verdicts else []
        ),
    message:
        "Writing the front page of the report"
    shell:
        "python -m cotracker_pipeline.summarise --config {params.study:q} --budgets {input.budgets:q}"
        " --memory {input.memory:q} --measured {input.measured:q} --accuracy {input.accuracy:q}"
        " {params.verdicts:q} --output {output.html:q} > {log:q} 2>&1"


# what the report shows; also what "snakemake --report" is asked for
rule results:
    input:
        all_results(),


rule report:
    input:
        all_results(),
    output:
        html=REPORT,
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
        code=code_of("report"),
        study=STUDY_FILE,
        # not that of a workflow which uses this one as a module
        snakefile=SNAKEFILE,
    message:
        "Writing the report {output.html}"
    shell:
        "python -m snakemake results --snakefile {params.snakefile:q} --configfile {params.study:q}"
        " --nolock --report {output.html:q} > {log:q} 2>&1"
