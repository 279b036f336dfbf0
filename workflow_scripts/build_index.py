"""Turn token-major shards into postings."""

from coactivation_manifolds.activations.index_build import build_index
from coactivation_manifolds.job import job

with job(snakemake):
    build_index(
        snakemake.input.manifests,
        offsets_path=snakemake.output.offsets,
        token_rows_path=snakemake.output.token_rows,
        values_path=snakemake.output.values,
        tokens_path=snakemake.output.tokens,
        threads=snakemake.threads,
    )
