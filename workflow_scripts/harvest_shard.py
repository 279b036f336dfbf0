"""Harvest one shard: model, SAE, parts, manifest."""

from coactivation_manifolds.activations.activation_pipeline import harvest_shard
from coactivation_manifolds.job import job

with job(snakemake):
    harvest_shard(
        int(snakemake.wildcards.shard),
        plan_path=snakemake.input.plan,
        manifest_path=snakemake.output.manifest,
        model=snakemake.params.model,
        sae=snakemake.params.sae,
        corpus=snakemake.params.corpus,
        harvest=snakemake.params.harvest,
        n_gpus=snakemake.resources.gpu,
    )
