"""Nearest decoder rows and most similar pairs."""

from coactivation_manifolds.job import job
from coactivation_manifolds.similarity.cosine import find_cosine_neighbors

with job(snakemake):
    find_cosine_neighbors(
        snakemake.input.decoder,
        snakemake.input.edges,
        cosine_neighbors=snakemake.params.cosine_neighbors,
        max_cosine_edges=snakemake.params.max_cosine_edges,
        neighbors_path=snakemake.output.neighbors,
        cosine_edges_path=snakemake.output.edges,
    )
