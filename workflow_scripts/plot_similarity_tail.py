"""Draw the share of pairs above each Jaccard."""

from coactivation_manifolds.figures.similarity_tail import plot_similarity_tail
from coactivation_manifolds.job import job

with job(snakemake):
    plot_similarity_tail(
        snakemake.input.tail, clusterings=snakemake.params.clusterings, figure_path=snakemake.output.figure
    )
