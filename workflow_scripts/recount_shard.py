"""Pass 2 over one shard."""

from coactivation_manifolds.cooccurrence.recount import recount_shard
from coactivation_manifolds.job import job

with job(snakemake):
    recount_shard(
        snakemake.input.manifest,
        counts_path=snakemake.input.counts,
        marginals_path=snakemake.input.marginals,
        candidates_path=snakemake.input.candidates,
        positions=snakemake.params.positions,
        threads=snakemake.threads,
        recount_path=snakemake.output.recount,
    )
