"""Every tested cluster of the sweep once."""

from coactivation_manifolds.geometry.finds import ClusteringFiles, collect_finds
from coactivation_manifolds.job import job

with job(snakemake):
    files = (snakemake.params.clusterings, *(snakemake.input[name] for name in ("summaries", "tests", "scores")))
    collect_finds(
        [ClusteringFiles(*each) for each in zip(*files, strict=True)],
        least_jaccard=snakemake.params.alike,
        max_q=snakemake.params.max_q,
        finds_path=snakemake.output.finds,
    )
