"""Read the planted truth from the clusters found."""

from coactivation_manifolds.activations.index import FeatureIndex
from coactivation_manifolds.job import job
from coactivation_manifolds.training.planted_check import check_planted_truth

with job(snakemake):
    check_planted_truth(
        snakemake.input.truth,
        summary_path=snakemake.input.clusters,
        index=FeatureIndex.open(snakemake.input.index[0]),
        decoder_path=snakemake.input.decoder,
        feature_counts_path=snakemake.input.feature_counts,
        losses_path=snakemake.input.losses,
        clustering=snakemake.params.clustering,
        settings=snakemake.params.settings,
        min_firings=snakemake.params.min_firings,
        seed=snakemake.params.seed,
        check_path=snakemake.output.check,
        figure_path=snakemake.output.figure,
    )
