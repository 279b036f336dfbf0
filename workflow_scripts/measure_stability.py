"""How much of each cluster stays when what should not matter is changed."""

from coactivation_manifolds.clustering.shard_bootstrap import ShardFiles
from coactivation_manifolds.clustering.stability import measure_stability
from coactivation_manifolds.job import job

with job(snakemake):
    files = (snakemake.input[name] for name in ("counts", "recounts", "marginals", "totals"))
    measure_stability(
        snakemake.wildcards.clustering,
        snakemake.input.clusters,
        edges_path=snakemake.input.edges,
        cosine_edges_path=snakemake.input.get("cosine_edges") or None,
        shards=[ShardFiles(*shard) for shard in zip(*files, strict=True)],
        neighbor_paths=snakemake.input.get("neighbors") or [],
        n_seeds=snakemake.params.seeds,
        n_bootstraps=snakemake.params.bootstraps,
        seed=snakemake.params.seed,
        stability_path=snakemake.output.stability,
    )
