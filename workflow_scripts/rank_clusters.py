"""Every cluster with its shape, q-values, stability and rank."""

from coactivation_manifolds.geometry.ranking import rank_clusters
from coactivation_manifolds.job import job

with job(snakemake):
    rank_clusters(
        snakemake.input.tests,
        variance_path=snakemake.input.variance,
        summary_path=snakemake.input.summary,
        stability_path=snakemake.input.stability,
        connected_sets_path=snakemake.input.connected_sets,
        max_q=snakemake.params.max_q,
        scores_path=snakemake.output.scores,
    )
