"""Add up the shards."""

from coactivation_manifolds.activations.summary import summarize_activations
from coactivation_manifolds.job import job

with job(snakemake):
    summarize_activations(
        snakemake.input.manifests,
        resolved=snakemake.params.resolved,
        plan_path=snakemake.input.get("plan") or None,
        description_path=snakemake.input.get("description") or None,
        experiment_path=snakemake.output.experiment,
        shard_stats_path=snakemake.output.shard_stats,
        feature_counts_path=snakemake.output.feature_counts,
    )
