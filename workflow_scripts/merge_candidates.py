"""The union of the shards' candidate pairs."""

from coactivation_manifolds.cooccurrence.candidates import merge_candidates
from coactivation_manifolds.job import job

with job(snakemake.log[0]):
    merge_candidates(snakemake.input.counts, candidates_path=snakemake.output.candidates)
