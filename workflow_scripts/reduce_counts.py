"""Sum the shards and write the edges."""

from coactivation_manifolds.job import job
from coactivation_manifolds.similarity.edges import reduce_counts

with job(snakemake):
    reduce_counts(
        snakemake.input.counts,
        snakemake.input.recounts,
        snakemake.input.marginals,
        snakemake.input.shard_totals,
        decoder_path=snakemake.input.get("decoder") or None,
        jaccard_floor=snakemake.params.jaccard_floor,
        min_count=snakemake.params.min_count,
        min_firings=snakemake.params.min_firings,
        max_density=snakemake.params.max_density,
        edges_path=snakemake.output.edges,
        totals_path=snakemake.output.totals,
        tail_path=snakemake.output.tail,
    )
