# the shell gives way to these steps ("exec"): it would end at the signal at which they write their state
rule warm_up:
    input:
        data=shards("train"),
    output:
        encoder=f"{RESULTS}/train/warm_up/encoder.safetensors",
    log:
        f"{RESULTS}/logs/warm_up.log",
    benchmark:
        f"{RESULTS}/benchmarks/warm_up.tsv"
    threads: lambda wildcards: STUDY.training.warm_up.threads
    resources:
        **job_resources("warm_up", mem_mb=1500, runtime=240, gpu=GPUS),
    params:
        code=code_of("warm_up"),
        study=STUDY_FILE,
        seed=STUDY.seed,
        model=plain(STUDY.training.model),
        settings=lambda wildcards: plain(STUDY.training.warm_up),
        augmentation=plain(STUDY.training.augmentation),
        device=STUDY.training.device,
        state=f"{RESULTS}/train/warm_up/state",
    message:
        "Training the encoder that all variants start from"
    shell:
        "exec python -m cotracker_pipeline.warm_up --config {params.study:q}"
        " --data {input.data:q} --state-dir {params.state:q} --output {output.encoder:q} > {log:q} 2>&1"


rule train:
    input:
        data=shards("train"),
        warm_start=warm_start(),
        initial_checkpoint=initial_checkpoint(),
        validation=shards("validation"),
    output:
        **if_validated(
            validation=f"{RESULTS}/train/{{variant}}/seed-{{seed}}/validation.csv"
        ),
        model=f"{RESULTS}/train/{{variant}}/seed-{{seed}}/model.safetensors",
        loss_curve=f"{RESULTS}/train/{{variant}}/seed-{{seed}}/loss.csv",
    log:
        f"{RESULTS}/logs/train/{{variant}}/seed-{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/train/{{variant}}/seed-{{seed}}.tsv"
    threads: STUDY.training.threads * STUDY.training.devices
    resources:
        **train_resources(mem_mb=1500, runtime=2880),
    params:
        code=code_of("train"),
        study=STUDY_FILE,
        variant=variant_of,
        # the curves have a row each log_every and validate_every steps
        training=plain(
            STUDY.training, without=BOOKKEEPING - {"log_every", "validate_every"}
        ),
        # no output: a job that fails or is interrupted must find it again
        state=f"{RESULTS}/train/{{variant}}/seed-{{seed}}/state",
        warm_start=lambda wildcards, input: (
            ["--warm-start", *input.warm_start] if input.warm_start else []
        ),
        validation=lambda wildcards, input, output: (
            [
                *("--validation-data", *input.validation),
                *("--validation-curve", output.validation),
            ]
            if VALIDATED
            else []
        ),
    message:
        "Training {wildcards.variant} with seed {wildcards.seed}"
    shell:
        f"exec {LAUNCHER}python -m cotracker_pipeline.train"
        " --config {params.study:q}"
        " --variant {wildcards.variant:q} --seed {wildcards.seed:q} --data {input.data:q}"
        " {params.warm_start:q} {params.validation:q} --state-dir {params.state:q}"
        " --loss-curve {output.loss_curve:q} --output {output.model:q} > {log:q} 2>&1"
