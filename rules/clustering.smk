"""Clusterings by name, their comparison with decoder cosine, and the sweep over them.

Needs: similarity/, index/. Makes: clusters/, similarity/cosine_sweep.parquet, sweep/.
"""


rule cluster_edges:
    """Make one clustering; its name holds all parameters."""
    input:
        edges=paths.EDGES,
        cosine_edges=cosine_edges_if_needed,
        reference=reference_clusters_if_matched,
    output:
        clusters=paths.CLUSTERS,
    log:
        "logs/{experiment}/cluster_edges/{clustering}.log",
    benchmark:
        "logs/{experiment}/cluster_edges/{clustering}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory_for_tables(8000),
        runtime=minutes(120),
    params:
        version=ALGORITHM_VERSION["clustering"],
    script:
        "../workflow_scripts/cluster_edges.py"


rule sweep_cosine:
    """Clusterings of the decoder-cosine graph over a whole range of thresholds, to compare with."""
    input:
        cosine_edges=paths.COSINE_EDGES,
    output:
        sweep=paths.COSINE_SWEEP,
    log:
        "logs/{experiment}/sweep_cosine.log",
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory_for_tables(8000),
        runtime=minutes(120),
    params:
        version=ALGORITHM_VERSION["clustering"],
    script:
        "../workflow_scripts/sweep_cosine.py"


rule summarize_clusters:
    """One row for each cluster: size, similarity inside, tokens, and its best match among cosine clusters."""
    input:
        clusters=paths.CLUSTERS,
        edges=paths.EDGES,
        offsets=paths.INDEX_OFFSETS,
        token_rows=paths.INDEX_TOKEN_ROWS,
        decoder=if_decoder(paths.DECODER),
        cosine_clusters=counterpart_clusters,
        cosine_sweep=cosine_sweep_if_compared,
    output:
        summary=paths.CLUSTERS_SUMMARY,
    log:
        "logs/{experiment}/summarize_clusters/{clustering}.log",
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory_for_tables(8000),
        runtime=minutes(120),
    params:
        version=ALGORITHM_VERSION["clustering"],
    script:
        "../workflow_scripts/summarize_clusters.py"


rule summarize_sweep:
    """One row for each clustering of the sweep."""
    input:
        clusters=swept(paths.CLUSTERS),
        cosine_clusters=swept_counterparts,
        edges=paths.EDGES,
    output:
        summary=paths.SWEEP_SUMMARY,
    log:
        "logs/{experiment}/summarize_sweep.log",
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory_for_tables(8000),
        runtime=minutes(60),
    params:
        version=ALGORITHM_VERSION["clustering"],
        clusterings=derived(experiment_config.clustering_names),
    script:
        "../workflow_scripts/summarize_sweep.py"


rule plot_sweep:
    """The elbow: clusters, median size and largest cluster against the threshold, with the suggested one."""
    input:
        summary=paths.SWEEP_SUMMARY,
    output:
        figure=report(
            paths.SWEEP_ELBOW,
            caption="../docs/captions/sweep_elbow.rst",
            category="Sweep",
        ),
    log:
        "logs/{experiment}/plot_sweep.log",
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=minutes(10),
    params:
        version=ALGORITHM_VERSION["figures"],
    script:
        "../workflow_scripts/plot_sweep.py"
