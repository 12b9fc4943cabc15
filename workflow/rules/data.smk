rule render:
    input:
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
        code=code_of("render"),
        study=STUDY_FILE,
        seed=STUDY.seed,
        settings=lambda wildcards: plain(getattr(STUDY.data, wildcards.split)),
    message:
        "Rendering shard {wildcards.shard} of the {wildcards.split} split"
    shell:
        "python -m cotracker_pipeline.render --config {params.study:q}"
        " --split {wildcards.split:q} --shard {wildcards.shard:q} --output {output.h5:q} > {log:q} 2>&1"


rule convert:
    input:
        source=lambda wildcards: source_of(STUDY.datasets[wildcards.dataset]),
    output:
        h5=f"{RESULTS}/converted/{{dataset}}/{{shard}}.h5",
    log:
        f"{RESULTS}/logs/convert/{{dataset}}/{{shard}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/convert/{{dataset}}/{{shard}}.tsv"
    threads: 4
    resources:
        **job_resources("convert", mem_mb=8000, runtime=720),
    params:
        code=code_of("convert"),
        dataset=lambda wildcards: plain(STUDY.datasets[wildcards.dataset]),
        codec=lambda wildcards: codec_of(STUDY.datasets[wildcards.dataset]),
    message:
        "Converting shard {wildcards.shard} of the data set {wildcards.dataset}"
    shell:
        "python -m cotracker_pipeline.convert --format {params.dataset[format]:q}"
        " --input {params.dataset[input]:q} --shard {wildcards.shard:q} --shards {params.dataset[shards]:q}"
        " {params.codec:q} --workers {threads:q} --output {output.h5:q} > {log:q} 2>&1"


rule download:
    output:
        record="downloads/{source}/download.json",
    log:
        "downloads/{source}/download.log",
    benchmark:
        "downloads/{source}/download.tsv"
    wildcard_constraints:
        source="|".join(map(re.escape, PUBLISHED)),
    # nodes of a cluster seldom reach the internet
    localrule: True
    threads: 1
    resources:
        mem_mb=500,
        runtime=2880,
    params:
        code=code_of("download"),
        address=lambda wildcards: PUBLISHED[wildcards.source].url,
        folder=lambda wildcards, output: os.path.dirname(output.record),
    message:
        "Downloading {params.address}"
    shell:
        "python -m cotracker_pipeline.download --dataset {wildcards.source:q}"
        " --output {params.folder:q} > {log:q} 2>&1"


# all videos and nothing else: snakemake --cores all data
rule data:
    input:
        shards("train"),
        shards("eval"),
        shards("validation"),
        [shard for name in present_sets() for shard in shards_of_set(name)],
