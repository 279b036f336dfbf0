"""Each called cluster beside random connected sets of the same graph."""

from coactivation_manifolds.activations.index import FeatureIndex
from coactivation_manifolds.geometry.nulls.connected_test import compare_connected_sets
from coactivation_manifolds.job import job

with job(snakemake):
    compare_connected_sets(
        snakemake.input.tests,
        summary_path=snakemake.input.summary,
        edges_path=snakemake.input.edges,
        index=FeatureIndex.open(snakemake.input.index[0]),
        decoder_path=snakemake.input.get("decoder") or None,
        settings=snakemake.params.settings,
        n_sets=snakemake.params.n_sets,
        max_q=snakemake.params.max_q,
        seed=snakemake.params.seed,
        sets_path=snakemake.output.sets,
    )
