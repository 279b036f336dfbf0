"""What is found by chance: the whole chain on activations whose latents were shifted along the corpus.

A shifted control is an experiment within an experiment (results/demo/null/shift_s0/...): every later rule makes its files
as it makes any other's.

Needs: activations/ and index/ of the experiment. Makes: null/shift_s{seed}/activations/, null/shift_summary.parquet.
"""


rule shift_shard:
    """One shard of the control: the shard's tokens, with the latents that are shifted onto them."""
    input:
        manifests=of_source(per_shard(paths.MANIFEST)),
        index=of_source(index_files),
    output:
        manifest=paths.MANIFEST,
    log:
        "logs/{experiment}/shift_shard/{shard}.log",
    wildcard_constraints:
        experiment=paths.EXPERIMENTS["shifted"],
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory(4000),
        runtime=minutes(60),
    params:
        version=ALGORITHM_VERSION["null"],
        seed=setting("shift_seed"),
    script:
        "../workflow_scripts/shift_shard.py"


rule summarize_shifts:
    """Edges and clusters of the experiment beside those of its shifted controls."""
    input:
        edges=with_controls(paths.EDGES),
        clusters=clusters_with_controls,
        variance=variance_with_controls,
    output:
        summary=paths.SHIFT_SUMMARY,
    log:
        "logs/{experiment}/summarize_shifts.log",
    wildcard_constraints:
        experiment=paths.EXPERIMENTS["own"],
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory_for_tables(2000),
        runtime=minutes(30),
    params:
        version=ALGORITHM_VERSION["null"],
        seeds=setting("control.shift_seeds"),
        clusterings=derived(experiment_config.shifted_clusterings),
        headline=setting("clustering.headline"),
        min_points=setting("geometry.min_points"),
    script:
        "../workflow_scripts/summarize_shifts.py"
