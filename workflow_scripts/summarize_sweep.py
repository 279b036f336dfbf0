"""One row for each clustering of the sweep."""

from coactivation_manifolds.clustering.sweep import summarize_sweep
from coactivation_manifolds.job import job

with job(snakemake):
    summarize_sweep(
        snakemake.params.clusterings,
        snakemake.input.clusters,
        snakemake.input.get("cosine_clusters") or [],
        edges_path=snakemake.input.edges,
        summary_path=snakemake.output.summary,
    )
