# an ablation is a target and a table: it can have the name of no other
TAKEN = {"all", *TABLES, *(rule.name for rule in workflow.rules)}

# one target an ablation: snakemake --cores all tracks
for ablation in STUDY.ablations:
    if ablation in TAKEN:
        raise SystemExit(
            f"error: {SOURCE}: ablations.{ablation}: there is a target or table of this name; choose another"
        )

    rule:
        name:
            ablation
        input:
            table_files(f"ablation-{ablation}"),
