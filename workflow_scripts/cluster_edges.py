"""Make one clustering."""

from coactivation_manifolds.clustering.cluster import cluster_edges
from coactivation_manifolds.job import job

with job(snakemake):
    cluster_edges(
        snakemake.wildcards.clustering,
        edges_path=snakemake.input.edges,
        cosine_edges_path=snakemake.input.get("cosine_edges") or None,
        reference_path=snakemake.input.get("reference") or None,
        clusters_path=snakemake.output.clusters,
    )
