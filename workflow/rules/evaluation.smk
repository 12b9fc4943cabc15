rule evaluate:
    input:
        data=shards("eval"),
        model=f"{RESULTS}/train/{{variant}}/seed-{{seed}}/model.safetensors",
    output:
        csv=f"{RESULTS}/eval/{{variant}}/seed-{{seed}}/evaluation.csv",
    log:
        f"{RESULTS}/logs/evaluate/{{variant}}/seed-{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/evaluate/{{variant}}/seed-{{seed}}.tsv"
    threads: 1
    resources:
        **job_resources("evaluate", mem_mb=1500, runtime=120, gpu=GPUS),
    params:
        code=code_of("evaluate"),
        study=STUDY_FILE,
        evaluation=plain(STUDY.evaluation, without=["baselines"]),
    message:
        "Evaluating {wildcards.variant} with seed {wildcards.seed}"
    shell:
        "python -m cotracker_pipeline.evaluate --config {params.study:q}"
        " --variant {wildcards.variant:q} --checkpoint {input.model:q}"
        " --data {input.data:q} --output {output.csv:q} > {log:q} 2>&1"


rule evaluate_baseline:
    input:
        data=shards("eval"),
    output:
        csv=f"{RESULTS}/eval/baselines/{{baseline}}/evaluation.csv",
    log:
        f"{RESULTS}/logs/evaluate_baseline/{{baseline}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/evaluate_baseline/{{baseline}}.tsv"
    threads: 1
    resources:
        **job_resources("evaluate_baseline", mem_mb=1500, runtime=120),
    params:
        code=code_of("evaluate_baseline"),
        study=STUDY_FILE,
        max_tracks=STUDY.evaluation.max_tracks,
        query_modes=STUDY.evaluation.query_modes,
    message:
        "Evaluating the floor {wildcards.baseline}"
    shell:
        "python -m cotracker_pipeline.evaluate_baseline --config {params.study:q}"
        " --baseline {wildcards.baseline:q}"
        " --data {input.data:q} --output {output.csv:q} > {log:q} 2>&1"
