"""The pairs that can reach the floor, by what the shards kept."""

from coactivation_manifolds.cooccurrence.candidates import merge_candidates
from coactivation_manifolds.job import job

with job(snakemake):
    merge_candidates(
        snakemake.input.counts,
        snakemake.input.marginals,
        jaccard_floor=snakemake.params.jaccard_floor,
        candidates_path=snakemake.output.candidates,
    )
