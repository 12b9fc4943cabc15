rule predict_memory:
    input:
        code=modules("predict_memory"),
    output:
        json=f"{RESULTS}/memory/predicted/{{variant}}.json",
    log:
        f"{RESULTS}/logs/predict_memory/{{variant}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/predict_memory/{{variant}}.tsv"
    threads: 1
    resources:
        mem_mb=1500,
        runtime=20,
    params:
        study=STUDY_FILE,
        variant=variant_of,
        memory=plain(STUDY.memory),
    message:
        "Predicting the memory of {wildcards.variant} at the true size"
    shell:
        "python -m cotracker_pipeline.predict_memory --config {params.study:q}"
        " --variant {wildcards.variant:q} --output {output.json:q} > {log:q} 2>&1"
