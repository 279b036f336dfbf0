"""Points and explained variance of every cluster within the size bounds."""

from coactivation_manifolds.activations.index import FeatureIndex
from coactivation_manifolds.geometry.scores import score_clusters
from coactivation_manifolds.job import job

with job(snakemake):
    score_clusters(
        snakemake.input.summary,
        index=FeatureIndex.open(snakemake.input.index[0]),
        decoder_path=snakemake.input.get("decoder") or None,
        settings=snakemake.params.settings,
        scores_path=snakemake.output.scores,
    )
