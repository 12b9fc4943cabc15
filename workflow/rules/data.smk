rule render:
    input:
        code=modules("render"),
        own=lambda wildcards: own_files(wildcards.split),
    output:
        h5=f"{RESULTS}/data/{{split}}/{{shard}}.h5",
    log:
        f"{RESULTS}/logs/render/{{split}}/{{shard}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/render/{{split}}/{{shard}}.tsv"
    threads: 1
    resources:
        **job_resources("render", mem_mb=1500, runtime=60),
    params:
        study=STUDY_FILE,
        seed=STUDY.seed,
        settings=lambda wildcards: plain(getattr(STUDY.data, wildcards.split)),
    message:
        "Rendering shard {wildcards.shard} of the {wildcards.split} split"
    shell:
        "python -m cotracker_pipeline.render --config {params.study:q}"
        " --split {wildcards.split} --shard {wildcards.shard} --output {output.h5:q} > {log:q} 2>&1"


# all videos and nothing else: snakemake --cores all data
rule data:
    input:
        shards("train"),
        shards("eval"),
