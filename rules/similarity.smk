"""From counts to edges with every affinity and its significance; decoder cosine.

Needs: cooccurrence/, metadata/decoder.npy where there is one. Makes: cooccurrence/totals.json, similarity/.
"""


rule reduce_counts:
    """Sum the shards' counts, apply the floors, and write every pair with its affinities."""
    input:
        counts=per_shard(paths.SHARD_COUNTS),
        recounts=per_shard(paths.SHARD_RECOUNT),
        marginals=per_shard(paths.SHARD_MARGINALS),
        shard_totals=per_shard(paths.SHARD_TOTALS),
        decoder=if_decoder(paths.DECODER),
    output:
        edges=paths.EDGES,
        totals=paths.TOTALS,
        tail=paths.SIMILARITY_TAIL_TABLE,
    log:
        "logs/{experiment}/reduce_counts.log",
    benchmark:
        "logs/{experiment}/reduce_counts.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory_for_tables(8000),
        runtime=minutes(120),
    params:
        version=ALGORITHM_VERSION["similarity"],
        jaccard_floor=setting("similarity.jaccard_floor"),
        min_count=setting("similarity.min_count"),
        min_firings=setting("similarity.min_firings"),
        max_density=setting("similarity.max_density"),
    script:
        "../workflow_scripts/reduce_counts.py"


rule plot_similarity_tail:
    """Share of pairs above each Jaccard, log-log, with the sweep's thresholds marked."""
    input:
        tail=paths.SIMILARITY_TAIL_TABLE,
    output:
        figure=report(
            paths.SIMILARITY_TAIL,
            caption="../docs/captions/similarity_tail.rst",
            category="Similarity",
        ),
    log:
        "logs/{experiment}/plot_similarity_tail.log",
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory_for_tables(2000),
        runtime=minutes(10),
    params:
        version=ALGORITHM_VERSION["figures"],
        clusterings=derived(experiment_config.clustering_names),
    script:
        "../workflow_scripts/plot_similarity_tail.py"


rule find_cosine_neighbors:
    """The nearest decoder rows of each latent, and the most similar pairs overall."""
    input:
        decoder=paths.DECODER,
        edges=paths.EDGES,
    output:
        neighbors=paths.COSINE_NEIGHBORS,
        edges=paths.COSINE_EDGES,
    log:
        "logs/{experiment}/find_cosine_neighbors.log",
    benchmark:
        "logs/{experiment}/find_cosine_neighbors.tsv"
    conda:
        ENVIRONMENT
    threads: 2
    resources:
        mem_mb=memory(8000),
        runtime=minutes(120),
    params:
        version=ALGORITHM_VERSION["cosine"],
        cosine_neighbors=setting("similarity.cosine_neighbors"),
        max_cosine_edges=setting("similarity.max_cosine_edges"),
    script:
        "../workflow_scripts/find_cosine_neighbors.py"
