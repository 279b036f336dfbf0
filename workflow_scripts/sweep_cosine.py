"""Cluster the decoder-cosine graph over a range of thresholds."""

from coactivation_manifolds.clustering.cosine_sweep import sweep_cosine
from coactivation_manifolds.job import job

with job(snakemake):
    sweep_cosine(snakemake.input.cosine_edges, sweep_path=snakemake.output.sweep)
