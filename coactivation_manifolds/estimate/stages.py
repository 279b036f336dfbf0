"""The jobs of an experiment, what each waits for, and the units of work in each: the rates say what a unit costs.

A stage is a rule of the workflow, or those of its jobs that do the same kind of work. Its cost is a sum over units, for
seconds and memory of one job and for the bytes that all of its jobs leave on the disk.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import ceil

from coactivation_manifolds.clustering.spec import ClusteringSpec, parse_spec
from coactivation_manifolds.estimate.sizes import Sizes
from coactivation_manifolds.experiment.config import clustering_names, has_decoder, has_tokens, is_imported
from coactivation_manifolds.experiment.files import Config
from coactivation_manifolds.experiment.tested import found_clusterings

START = "start"
INDEX_ENTRIES = 200_000_000
"""Postings that build_index keeps in memory: those beyond go to disk and come back once, in a merge."""
ROWS_PER_RANGE = 8_388_608
"""Rows of all shards that merge_candidates and reduce_counts hold at once."""
SUM_TOKENS = 8_192
"""Tokens whose activations summarize_activations adds up at once, into arrays over all latents."""

Units = dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Jobs of one kind.

    Attributes
    ----------
    name
        As in the rates.
    rule
        The workflow's rule.
    job
        Units of work in one job, for seconds and memory.
    files
        Units of what all jobs leave on the disk.
    n_jobs
        How many.
    needs
        Stages that must end before; where both are per shard, only the job of the same shard.
    per_shard
        Whether it has one job a shard.
    threads, gpus
        Cores and GPUs that a job takes.

    """

    name: str
    rule: str
    job: Units
    files: Units
    n_jobs: int = 1
    needs: tuple[str, ...] = ()
    per_shard: bool = False
    threads: int = 1
    gpus: int = 0


def kind_of_clustering(spec: ClusteringSpec) -> str:
    """The stage that makes a clustering: components, Leiden, or either from decoder cosine."""
    return f"cluster_edges, {'cosine ' if spec.from_cosine else ''}{spec.method}"


def clusterings_made(config: Config) -> list[ClusteringSpec]:
    """Those of the sweep, the headline one, and the cosine clustering matched to each."""
    specs = [parse_spec(name) for name in clustering_names(config)]
    if has_decoder(config):
        specs += [spec.counterpart for spec in specs if spec.graph == "coactivation" and not spec.matched]
    return list(dict.fromkeys(specs))


def stages_of(config: Config, sizes: Sizes) -> list[Stage]:
    """All stages of an experiment from its activations to its report, each after those that it needs."""
    decoder, tokens = has_decoder(config), has_tokens(config)
    source = _import(sizes) if is_imported(config) else _harvest(config, sizes)
    shards = source[-1].name
    n_tested = len({config["clustering"]["headline"], *found_clusterings(config)})
    made = Counter(kind_of_clustering(spec) for spec in clusterings_made(config))
    return [
        *source,
        *_counting(sizes, shards),
        *_index(sizes, shards, decoder=decoder, tokens=tokens),
        *_similarity(sizes, decoder=decoder),
        *_clustering(sizes, made, n_swept=len(clustering_names(config)), n_tested=n_tested, decoder=decoder),
        *_geometry(sizes, n_tested=n_tested, tokens=tokens),
    ]


def _one_job(
    name: str,
    work: Units,
    *needs: str,
    files: Units | None = None,
    rule: str | None = None,
    n_jobs: int = 1,
    threads: int = 1,
) -> Stage:
    """A stage whose jobs wait for whole stages."""
    return Stage(
        name=name,
        rule=rule or name,
        n_jobs=n_jobs,
        job={START: 1.0, **work},
        files=files or {},
        needs=tuple(needs),
        threads=threads,
    )


def _job_a_shard(
    name: str, work: Units, *needs: str, n_jobs: int, files: Units | None = None, threads: int = 2, gpus: int = 0
) -> Stage:
    """A stage with one job for each shard."""
    return Stage(
        name=name,
        rule=name.split(",")[0],
        n_jobs=n_jobs,
        job={START: 1.0, **work},
        files=files or {},
        needs=tuple(needs),
        per_shard=True,
        threads=threads,
        gpus=gpus,
    )


def _import(sizes: Sizes) -> list[Stage]:
    work = {"token": sizes.n_tokens, "entry": sizes.entries}
    return [
        _one_job("import_activations", work, files=work),
        _job_a_shard("publish_import_shard", {}, "import_activations", n_jobs=sizes.n_shards, threads=1),
    ]


def harvest_name(config: Config) -> str:
    """The stage of the harvest: what it costs depends on where it runs and in which number format."""
    device = "cpu" if config["harvest"]["device"] == "cpu" else "gpu"
    return f"harvest_shard, {device} {config['model']['dtype']}"


def _harvest(config: Config, sizes: Sizes) -> list[Stage]:
    n = sizes.n_shards
    work = {
        "weight byte": sizes.weight_bytes,
        "teraflop": sizes.flops * sizes.n_tokens / n / 1e12,
        "entry": sizes.entries / n,
    }
    files = {"token": sizes.n_tokens, "entry": sizes.entries}
    planned = {"token": sizes.n_tokens}
    harvest = config["harvest"]
    return [
        _one_job("plan_corpus", planned, files=planned),
        _job_a_shard(
            harvest_name(config),
            work,
            "plan_corpus",
            n_jobs=n,
            files=files,
            threads=int(harvest["cpu_threads"]),
            gpus=int(harvest["gpus_per_job"]),
        ),
    ]


def _counting(sizes: Sizes, shards: str) -> list[Stage]:
    n, entries = sizes.n_shards, sizes.entries / sizes.n_shards
    rows = n * sizes.shard_pairs
    count = {
        "latent": float(sizes.n_latents),
        "entry": entries,
        "increment": sizes.increments / n,
        "row": sizes.shard_pairs,
    }
    merge = {"row": rows, "row held": min(rows, ROWS_PER_RANGE), "latent and shard": float(n * sizes.n_latents)}
    recount = {"entry": entries, "candidate": sizes.candidates, "row": sizes.recounted}
    return [
        _job_a_shard(
            "count_shard", count, shards, n_jobs=n, files={"row": rows, "latent and shard": n * sizes.n_latents}
        ),
        _one_job("merge_candidates", merge, "count_shard", files={"candidate": sizes.candidates}),
        _job_a_shard("recount_shard", recount, "merge_candidates", n_jobs=n, files={"row": n * sizes.recounted}),
    ]


def _index(sizes: Sizes, shards: str, *, decoder: bool, tokens: bool) -> list[Stage]:
    latents, entries = float(sizes.n_latents), sizes.entries
    build = {
        "entry": entries,
        "entry spilled": max(0.0, entries - INDEX_ENTRIES),
        "entry held": min(entries, INDEX_ENTRIES),
        "latent": latents,
    }
    of_latents = {"latent": latents}
    summed = {"entry": entries, "latent and block": latents * ceil(sizes.n_tokens / SUM_TOKENS), **of_latents}
    described = {"decoder byte": latents * sizes.d_model * 4}
    stages = [_one_job("describe_sae", described, files=described)] if decoder else []
    needs = (shards, "describe_sae") if decoder else (shards,)
    stages += [
        _one_job("summarize_activations", summed, *needs, files=of_latents),
        _one_job(
            "build_index",
            build,
            shards,
            files={"entry": entries, "token": sizes.n_tokens, **of_latents},
            threads=2,
        ),
    ]
    ranked = {"entry": entries, "token": sizes.n_tokens, **of_latents}
    return [*stages, _one_job("rank_latent_tokens", ranked, "build_index", files=of_latents)] if tokens else stages


def _similarity(sizes: Sizes, *, decoder: bool) -> list[Stage]:
    n, latents = sizes.n_shards, float(sizes.n_latents)
    rows = n * (sizes.shard_pairs + sizes.recounted)
    reduce = {
        "row": rows,
        "row held": min(rows, ROWS_PER_RANGE),
        "edge": sizes.edges,
        "latent and shard": n * latents,
    }
    needs = ("recount_shard", "describe_sae") if decoder else ("recount_shard",)
    stages = [
        _one_job("reduce_counts", reduce, *needs, files={"edge": sizes.edges}),
        _one_job("plot_similarity_tail", {}, "reduce_counts"),
    ]
    if decoder:
        near = {
            "pair of latents": latents**2,
            "teraflop": 2 * latents**2 * sizes.d_model / 1e12,
            "decoder byte": latents * sizes.d_model * 4,
        }
        files = {"latent": latents, "edge": sizes.edges}
        stages.append(_one_job("find_cosine_neighbors", near, "reduce_counts", files=files, threads=2))
    return stages


def _clustering(sizes: Sizes, made: Counter[str], *, n_swept: int, n_tested: int, decoder: bool) -> list[Stage]:
    edges = {"edge": sizes.edges}
    stages = [
        _one_job(
            name,
            edges,
            "find_cosine_neighbors" if "cosine" in name else "reduce_counts",
            files={"latent": n_jobs * float(sizes.n_latents)},
            rule="cluster_edges",
            n_jobs=n_jobs,
        )
        for name, n_jobs in made.items()
    ]
    compared = ["sweep_cosine"] if decoder else []
    stages += [_one_job(name, edges, "find_cosine_neighbors") for name in compared]
    points = {"point": sizes.drawn * sizes.points, "point of a cluster": sizes.points}
    summary = edges | points | {"cluster": sizes.clusters}
    return [
        *stages,
        _one_job("summarize_clusters", summary, "build_index", *made, *compared, n_jobs=n_tested),
        _one_job("summarize_sweep", edges | {"clustering": float(n_swept)}, *made),
        _one_job("plot_sweep", {}, "summarize_sweep"),
    ]


def _geometry(sizes: Sizes, *, n_tested: int, tokens: bool) -> list[Stage]:
    drawn, edges = {"cluster drawn": sizes.drawn}, {"edge": sizes.edges}
    shapes = drawn | {"point": sizes.drawn * sizes.points, "point of a cluster": sizes.points}
    rows = {"row": sizes.n_shards * (sizes.shard_pairs + sizes.recounted)}
    swept = {"cluster drawn": n_tested * sizes.drawn}
    named = ["rank_latent_tokens"] if tokens else []
    before = ("summarize_activations", "plot_similarity_tail", "plot_sweep", "draw_gallery", "draw_atlas")
    return [
        _one_job("measure_clusters", shapes, "summarize_clusters", n_jobs=n_tested),
        _one_job("draw_nulls", shapes, "summarize_clusters", files=swept, n_jobs=n_tested, threads=2),
        _one_job("test_shapes", shapes, "draw_nulls", n_jobs=n_tested),
        _one_job("compare_connected_sets", shapes | edges, "test_shapes", n_jobs=n_tested),
        _one_job("measure_stability", edges | rows, "summarize_clusters", n_jobs=n_tested),
        _one_job(
            "rank_clusters", drawn, "measure_clusters", "compare_connected_sets", "measure_stability", n_jobs=n_tested
        ),
        _one_job("collect_finds", swept, "rank_clusters"),
        _one_job("summarize_finds", {}, "collect_finds"),
        _one_job("draw_gallery", {"point of a cluster": sizes.points}, "collect_finds", *named),
        _one_job("draw_atlas", shapes, "summarize_clusters", *named, files=drawn),
        _one_job("write_report", drawn | {"cluster": sizes.clusters}, "summarize_finds", *before, files=drawn),
    ]
