"""Feature-major postings: which tokens each latent fires on, and how strongly.

Needs: all manifests of activations/. Makes: index/ and metadata/latent_tokens.parquet.
"""


rule build_index:
    """Turn token-major shards into postings, shard by shard in bounded memory."""
    input:
        manifests=per_shard(paths.MANIFEST),
    output:
        offsets=paths.INDEX_OFFSETS,
        token_rows=paths.INDEX_TOKEN_ROWS,
        values=paths.INDEX_VALUES,
        tokens=paths.INDEX_TOKENS,
    log:
        "logs/{experiment}/build_index.log",
    benchmark:
        "logs/{experiment}/build_index.tsv"
    conda:
        ENVIRONMENT
    threads: 2
    resources:
        mem_mb=memory(4000),
        runtime=minutes(120),
    params:
        version=ALGORITHM_VERSION["index"],
    script:
        "../workflow_scripts/build_index.py"


rule rank_latent_tokens:
    """List the tokens that each latent fires on most."""
    input:
        offsets=paths.INDEX_OFFSETS,
        token_rows=paths.INDEX_TOKEN_ROWS,
        values=paths.INDEX_VALUES,
        tokens=paths.INDEX_TOKENS,
    output:
        latent_tokens=paths.LATENT_TOKENS,
    log:
        "logs/{experiment}/rank_latent_tokens.log",
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=memory(4000),
        runtime=minutes(120),
    params:
        version=ALGORITHM_VERSION["index"],
        n_tokens=setting("similarity.latent_tokens"),
    script:
        "../workflow_scripts/rank_latent_tokens.py"
