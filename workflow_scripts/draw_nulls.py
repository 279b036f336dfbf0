"""Statistics of every cluster and of its null draws."""

from coactivation_manifolds.activations.index import FeatureIndex
from coactivation_manifolds.geometry.shape_draws import draw_nulls
from coactivation_manifolds.job import job

if __name__ == "__main__":  # its processes read this file, too
    with job(snakemake):
        draw_nulls(
            snakemake.input.summary,
            index=FeatureIndex.open(snakemake.input.index[0]),
            decoder_path=snakemake.input.get("decoder") or None,
            settings=snakemake.params.settings,
            seed=snakemake.params.seed,
            threads=snakemake.threads,
            draws_path=snakemake.output.draws,
        )
