"""One row for each cluster."""

from coactivation_manifolds.activations.index import FeatureIndex
from coactivation_manifolds.clustering.summary import summarize_clusters
from coactivation_manifolds.job import job

with job(snakemake):
    summarize_clusters(
        snakemake.wildcards.clustering,
        snakemake.input.clusters,
        edges_path=snakemake.input.edges,
        index=FeatureIndex.open(snakemake.input.offsets),
        decoder_path=snakemake.input.get("decoder") or None,
        cosine_clusters_path=snakemake.input.get("cosine_clusters") or None,
        cosine_sweep_path=snakemake.input.get("cosine_sweep") or None,
        summary_path=snakemake.output.summary,
    )
