"""Points and explained variance of every cluster within the size bounds."""

from coactivation_manifolds.activations.index import FeatureIndex
from coactivation_manifolds.geometry.variance import measure_clusters
from coactivation_manifolds.job import job

with job(snakemake):
    measure_clusters(
        snakemake.input.summary,
        index=FeatureIndex.open(snakemake.input.index[0]),
        decoder_path=snakemake.input.get("decoder") or None,
        settings=snakemake.params.settings,
        variance_path=snakemake.output.variance,
    )
