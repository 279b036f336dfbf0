"""Draw one cluster."""

from pathlib import Path

from coactivation_manifolds.activations.index import FeatureIndex
from coactivation_manifolds.job import job
from coactivation_manifolds.report.cluster_files import plot_cluster_pca

with job(snakemake):
    plot_cluster_pca(
        snakemake.wildcards.clustering,
        int(snakemake.wildcards.cluster),
        summary_path=snakemake.input.summary,
        index=FeatureIndex.open(snakemake.input.index[0]),
        decoder_path=snakemake.input.get("decoder") or None,
        vocab_path=snakemake.input.get("vocab") or None,
        latent_tokens_path=snakemake.input.get("latent_tokens") or None,
        settings=snakemake.params.settings,
        folder=Path(snakemake.output.pca).parent,
    )
