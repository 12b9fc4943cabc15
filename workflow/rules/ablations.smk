# one target an ablation: snakemake --cores all tracks
for ablation in STUDY.ablations:

    rule:
        name:
            ablation
        input:
            table_files(f"ablation-{ablation}"),
