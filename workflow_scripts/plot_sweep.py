"""Draw the elbow of the sweep."""

from coactivation_manifolds.figures.sweep_elbow import plot_sweep
from coactivation_manifolds.job import job

with job(snakemake):
    plot_sweep(snakemake.input.summary, figure_path=snakemake.output.figure)
