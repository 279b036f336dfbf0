"""Pass 1 over one shard."""

from coactivation_manifolds.cooccurrence.shard_counts import count_shard
from coactivation_manifolds.job import job

with job(snakemake):
    count_shard(
        snakemake.input.manifest,
        jaccard_floor=snakemake.params.jaccard_floor,
        positions=snakemake.params.positions,
        threads=snakemake.threads,
        counts_path=snakemake.output.counts,
        marginals_path=snakemake.output.marginals,
        totals_path=snakemake.output.totals,
    )
