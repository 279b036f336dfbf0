"""Write the manifest of one imported shard."""

from coactivation_manifolds.activations.importers import publish_import_shard
from coactivation_manifolds.job import job

with job(snakemake):
    publish_import_shard(
        int(snakemake.wildcards.shard),
        record_path=snakemake.input.record,
        manifest_path=snakemake.output.manifest,
    )
