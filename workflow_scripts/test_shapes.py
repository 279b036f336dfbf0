"""p-values of all shapes, and the parameters of those that a cluster may be called by."""

from coactivation_manifolds.activations.index import FeatureIndex
from coactivation_manifolds.geometry.shape_tests import summarize_tests
from coactivation_manifolds.job import job

with job(snakemake):
    summarize_tests(
        snakemake.input.draws,
        summary_path=snakemake.input.summary,
        index=FeatureIndex.open(snakemake.input.index[0]),
        decoder_path=snakemake.input.get("decoder") or None,
        settings=snakemake.params.settings,
        seed=snakemake.params.seed,
        tests_path=snakemake.output.tests,
        shapes_path=snakemake.output.shapes,
    )
