"""Write one shard of the shifted control."""

from coactivation_manifolds.activations.circular_shift import shift_shard
from coactivation_manifolds.job import job

with job(snakemake):
    shift_shard(
        int(snakemake.wildcards.shard),
        manifest_paths=snakemake.input.manifests,
        offsets_path=snakemake.input.index[0],
        manifest_path=snakemake.output.manifest,
        seed=snakemake.params.seed,
    )
