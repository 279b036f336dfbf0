"""Edges and clusters of the experiment beside those of its shifted controls."""

from coactivation_manifolds.geometry.shift_summary import summarize_shifts
from coactivation_manifolds.job import job

with job(snakemake):
    summarize_shifts(
        snakemake.params.seeds,
        snakemake.params.clusterings,
        edges_paths=snakemake.input.edges,
        clusters_paths=snakemake.input.clusters,
        variance_paths=snakemake.input.variance,
        headline=snakemake.params.headline,
        min_points=snakemake.params.min_points,
        summary_path=snakemake.output.summary,
    )
