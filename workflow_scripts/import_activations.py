"""Check given activations and cut them into shards."""

from coactivation_manifolds.activations.importers import import_activations
from coactivation_manifolds.job import job

with job(snakemake):
    import_activations(
        snakemake.params.activations,
        record_path=snakemake.output.record,
        vocab_path=snakemake.output.vocab,
    )
