"""How far each cluster can be relied on, and what was found over the whole sweep.

Needs: clusters/, cooccurrence/, similarity/, index/, the shape tests of geometry/. Makes: geometry/*/stability.parquet,
geometry/*/connected_sets.parquet, finds.parquet, finds_summary.parquet.
"""


rule measure_stability:
    """How much of each cluster stays with other seeds, other shards, and the next thresholds of the sweep."""
    input:
        clusters=paths.CLUSTERS,
        edges=paths.EDGES,
        cosine_edges=cosine_edges_if_needed,
        counts=if_from_shards(per_shard(paths.SHARD_COUNTS)),
        recounts=if_from_shards(per_shard(paths.SHARD_RECOUNT)),
        marginals=if_from_shards(per_shard(paths.SHARD_MARGINALS)),
        totals=if_from_shards(per_shard(paths.SHARD_TOTALS)),
        neighbors=neighbor_clusters,
    output:
        stability=paths.STABILITY,
    log:
        "logs/{experiment}/measure_stability/{clustering}.log",
    benchmark:
        "logs/{experiment}/measure_stability/{clustering}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory_for_tables(8000),
        runtime=minutes(240),
    params:
        version=ALGORITHM_VERSION["stability"],
        seeds=setting("finds.leiden_seeds"),
        bootstraps=setting("shapes.stability_bootstraps"),
        seed=setting("seed"),
    script:
        "../workflow_scripts/measure_stability.py"


rule compare_connected_sets:
    """Each called cluster beside random connected sets of as many latents of the same graph."""
    input:
        tests=paths.SHAPE_TESTS,
        summary=paths.CLUSTERS_SUMMARY,
        edges=paths.EDGES,
        index=index_files,
        decoder=if_decoder(paths.DECODER),
    output:
        sets=paths.CONNECTED_SETS,
    log:
        "logs/{experiment}/compare_connected_sets/{clustering}.log",
    benchmark:
        "logs/{experiment}/compare_connected_sets/{clustering}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory_for_tables(8000),
        runtime=minutes(240),
    params:
        version=ALGORITHM_VERSION["connected_sets"],
        settings=derived(experiment_config.shape_settings),
        n_sets=setting("finds.connected_sets"),
        max_q=setting("shapes.max_q"),
        seed=setting("seed"),
    script:
        "../workflow_scripts/compare_connected_sets.py"


rule collect_finds:
    """Every tested cluster of the sweep once, with the range it lives at and one q over all."""
    input:
        summaries=found(paths.CLUSTERS_SUMMARY),
        tests=found(paths.SHAPE_TESTS),
        scores=found(paths.SCORES),
    output:
        finds=paths.FINDS,
    log:
        "logs/{experiment}/collect_finds.log",
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory_for_tables(2000),
        runtime=minutes(60),
    params:
        version=ALGORITHM_VERSION["finds"],
        clusterings=derived(found_clusterings),
        alike=setting("finds.alike"),
        max_q=setting("shapes.max_q"),
    script:
        "../workflow_scripts/collect_finds.py"


rule summarize_finds:
    """The headline table: shapes by co-activation, by cosine, by both, and in the shifted controls."""
    input:
        finds=with_controls(paths.FINDS),
    output:
        summary=paths.FINDS_SUMMARY,
    log:
        "logs/{experiment}/summarize_finds.log",
    wildcard_constraints:
        experiment=paths.EXPERIMENTS["own"],
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=minutes(10),
    params:
        version=ALGORITHM_VERSION["finds"],
        seeds=setting("control.shift_seeds"),
    script:
        "../workflow_scripts/summarize_finds.py"
