"""The headline table of shapes found."""

from coactivation_manifolds.geometry.finds_summary import summarize_finds
from coactivation_manifolds.job import job

with job(snakemake):
    own, *controls = snakemake.input.finds
    summarize_finds(
        own,
        control_paths=controls,
        seeds=snakemake.params.seeds,
        summary_path=snakemake.output.summary,
    )
