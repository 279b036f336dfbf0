"""Exact pair counts by two passes over the shards (docs/methods.md).

Needs: the manifests of activations/. Makes: cooccurrence/.
"""


rule count_shard:
    """Pass 1: count all pairs of one shard in memory; keep those whose local Jaccard reaches the floor."""
    input:
        manifest=paths.MANIFEST,
    output:
        counts=paths.SHARD_COUNTS,
        marginals=paths.SHARD_MARGINALS,
        totals=paths.SHARD_TOTALS,
    log:
        "logs/{experiment}/count_shard/{shard}.log",
    benchmark:
        "logs/{experiment}/count_shard/{shard}.tsv"
    conda:
        ENVIRONMENT
    threads: 2
    resources:
        mem_mb=memory(4000),
        runtime=minutes(60),
    params:
        version=ALGORITHM_VERSION["cooccurrence"],
        jaccard_floor=setting("similarity.jaccard_floor"),
        positions=setting("counting.positions"),
    script:
        "../workflow_scripts/count_shard.py"


rule merge_candidates:
    """The pairs that any shard kept and that can reach the floor over the whole corpus."""
    input:
        counts=per_shard(paths.SHARD_COUNTS),
        marginals=per_shard(paths.SHARD_MARGINALS),
    output:
        candidates=paths.CANDIDATES,
    log:
        "logs/{experiment}/merge_candidates.log",
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory(4000),
        runtime=minutes(60),
    params:
        version=ALGORITHM_VERSION["cooccurrence"],
        jaccard_floor=setting("similarity.jaccard_floor"),
    script:
        "../workflow_scripts/merge_candidates.py"


rule recount_shard:
    """Pass 2: exact counts of the candidates that this shard did not emit."""
    input:
        manifest=paths.MANIFEST,
        counts=paths.SHARD_COUNTS,
        marginals=paths.SHARD_MARGINALS,
        candidates=paths.CANDIDATES,
    output:
        recount=paths.SHARD_RECOUNT,
    log:
        "logs/{experiment}/recount_shard/{shard}.log",
    benchmark:
        "logs/{experiment}/recount_shard/{shard}.tsv"
    conda:
        ENVIRONMENT
    threads: 2
    resources:
        mem_mb=memory(4000),
        runtime=minutes(60),
    params:
        version=ALGORITHM_VERSION["cooccurrence"],
        positions=setting("counting.positions"),
    script:
        "../workflow_scripts/recount_shard.py"
