"""What a finished run took, from its own records: sizes of its files, provenance, Snakemake's benchmark tables."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import mean, median
from typing import Any

import numpy as np

from coactivation_manifolds import paths
from coactivation_manifolds.clustering.spec import parse_spec
from coactivation_manifolds.errors import CoactivationError, ResultsError
from coactivation_manifolds.estimate.chance_pairs import firing_profile
from coactivation_manifolds.estimate.rates import Rates
from coactivation_manifolds.estimate.shapes import shape_of
from coactivation_manifolds.estimate.sizes import Sizes, pairs_a_token_of_histogram
from coactivation_manifolds.estimate.stages import harvest_name, kind_of_clustering
from coactivation_manifolds.experiment.config import Config, is_imported, shard_names
from coactivation_manifolds.storage import open_table, read_array, read_json, read_table

MIB = 2.0**20
FILES = {
    "import_activations": ("activations/**/*", "metadata/vocab.parquet"),
    "harvest_shard": ("activations/**/*",),
    "plan_corpus": ("corpus/*",),
    "describe_sae": ("metadata/decoder.npy",),
    "count_shard": ("cooccurrence/shard=[0-9][0-9][0-9][0-9][0-9][0-9].*",),
    "merge_candidates": ("cooccurrence/candidates.parquet",),
    "recount_shard": ("cooccurrence/*.recount.parquet",),
    "summarize_activations": ("metadata/feature_counts.parquet",),
    "build_index": ("index/*",),
    "rank_latent_tokens": ("metadata/latent_tokens.parquet",),
    "reduce_counts": ("similarity/edges.parquet",),
    "find_cosine_neighbors": ("similarity/cosine_neighbors.parquet", "similarity/cosine_edges.parquet"),
    "draw_nulls": ("geometry/*/shape_draws.parquet",),
    "draw_atlas": ("geometry/*/atlas/**/*",),
    "write_report": ("report.html",),
}
"""Which files a stage leaves, below ``results/{experiment}/``; the others leave little."""


@dataclass(frozen=True, kw_only=True)
class MeasuredRun:
    """A run that ended.

    Attributes
    ----------
    folder
        ``results/{experiment}``.
    config
        Its configuration.
    sizes
        As they turned out.
    tokens_by_k, profile
        Histogram of latents on a token; how unequal the latents fire.
    seconds, memory, disk
        By stage: seconds and bytes of a middle job, bytes of all its files.
    elapsed
        Seconds from the start of the first job to the end of the last.
    cores
        Of the machine.
    host
        Its name, GPUs and commit, in words.

    """

    folder: Path
    config: Config
    sizes: Sizes
    tokens_by_k: dict[int, int]
    profile: list[list[float]]
    seconds: dict[str, float]
    memory: dict[str, float]
    disk: dict[str, float]
    elapsed: float
    cores: int
    host: str


def read_run(folder: Path, config: Config, rates: Rates) -> MeasuredRun:
    """Read the records of a run.

    Raises
    ------
    ResultsError
        It has not ended, or its records are gone.

    """
    try:
        return _read_run(folder, config, rates)
    except (CoactivationError, KeyError, ValueError) as error:
        raise ResultsError(
            f"{folder} is no finished run to calibrate on ({error}): make its report first, and keep its provenance/"
        ) from error


def _read_run(folder: Path, config: Config, rates: Rates) -> MeasuredRun:
    totals = read_json(below(folder, paths.TOTALS))
    tokens_by_k = {int(k): int(tokens) for k, tokens in totals["k_t"]}
    firings = np.zeros(int(totals["n_latents"]), np.int64)
    for shard in shard_names(config):
        firings += read_array(below(folder, paths.SHARD_MARGINALS, shard=shard))
    records = {path.stem: read_json(path) for path in sorted((folder / "provenance").glob("*.json"))}
    if not records:
        raise ResultsError("it has no provenance/")
    seconds, memory = job_costs(records, benchmark_tables(folder), config)
    starts = [datetime.fromisoformat(record["started"]) for record in records.values()]
    ends = [datetime.fromisoformat(record["ended"]) for record in records.values()]
    last = next(iter(records.values()))
    gpus = ", ".join(sorted({gpu for record in records.values() for gpu in record.get("gpus") or []}))
    return MeasuredRun(
        folder=folder,
        config=config,
        sizes=sizes_of_run(folder, config, totals, tokens_by_k, rates),
        tokens_by_k=tokens_by_k,
        profile=firing_profile(firings),
        seconds=seconds,
        memory=memory,
        disk=disk_of_stages(folder, config),
        elapsed=(max(ends) - min(starts)).total_seconds(),
        cores=int(last.get("cpus") or 1),
        host=f"{folder.name}, {last.get('cpus')} cores{', ' + gpus if gpus else ''}, commit {last['workflow_commit']}",
    )


def below(folder: Path, template: str, **wildcards: str) -> Path:
    """A file of an experiment, in whatever folder its results lie."""
    return folder / Path(*paths.fill(template, experiment=folder.name, **wildcards).parts[2:])


def sizes_of_run(
    folder: Path, config: Config, totals: Mapping[str, Any], tokens_by_k: dict[int, int], rates: Rates
) -> Sizes:
    """Sizes as they turned out."""
    shards = shard_names(config)

    def rows(template: str, **wildcards: str) -> int:
        with open_table(below(folder, template, **wildcards)) as parquet:
            return int(parquet.metadata.num_rows)

    headline = config["clustering"]["headline"]
    atlas = below(folder, paths.ATLAS, clustering=headline)
    drawn = {int(path.name.removeprefix("cluster=")) for path in atlas.glob("cluster=*")}
    scores = read_table(
        below(folder, paths.SCORES, clustering=headline), columns=["cluster_id", "n_points"]
    ).to_pydict()
    points = [n for number, n in zip(scores["cluster_id"], scores["n_points"], strict=True) if number in drawn]
    decoder = below(folder, paths.DECODER)
    shape = shape_of(config, rates, n_latents=int(totals["n_latents"]))
    return Sizes(
        n_tokens=int(totals["n_tokens"]),
        n_latents=int(totals["n_latents"]),
        n_shards=len(shards),
        mean_l0=totals["n_entries"] / max(1, totals["n_tokens"]),
        pairs_a_token=pairs_a_token_of_histogram(tokens_by_k),
        d_model=int(read_array(decoder, mmap=True).shape[1]) if decoder.is_file() else 0,
        shard_pairs=mean(rows(paths.SHARD_COUNTS, shard=shard) for shard in shards),
        candidates=rows(paths.CANDIDATES),
        recounted=mean(rows(paths.SHARD_RECOUNT, shard=shard) for shard in shards),
        edges=rows(paths.EDGES),
        clusters=rows(paths.CLUSTERS_SUMMARY, clustering=headline),
        drawn=len(drawn),
        points=mean(points) if points else 0.0,
        weight_bytes=shape.weight_bytes,
        flops=shape.flops,
    )


def job_costs(
    records: Mapping[str, Mapping[str, Any]], tables: Mapping[str, tuple[float, float]], config: Config
) -> tuple[dict[str, float], dict[str, float]]:
    """Seconds and bytes of a middle job of each stage.

    Provenance counts from the moment at which the job's own work begins, Snakemake's tables from the start of its
    interpreter: where a rule has no table, the middle difference of the others is added.
    """
    starts = [tables[job][0] - float(record["seconds"]) for job, record in records.items() if job in tables]
    start = max(0.0, median(starts)) if starts else 0.0
    seconds, memory = defaultdict(list), defaultdict(list)
    for job, record in records.items():
        table_seconds, table_bytes = tables.get(job, (float(record["seconds"]) + start, 0.0))
        peak = record.get("peak_memory_mib")
        stage = stage_of_job(job, config)
        seconds[stage].append(table_seconds)
        memory[stage].append(peak * MIB if peak else table_bytes)
    return (
        {stage: float(median(values)) for stage, values in seconds.items()},
        {stage: float(max(values)) for stage, values in memory.items()},
    )


def stage_of_job(job: str, config: Config) -> str:
    """The stage of a record: ``count_shard.000003`` is of count_shard; clusterings and harvests are told apart."""
    rule, _, rest = job.partition(".")
    if rule == "cluster_edges":
        return kind_of_clustering(parse_spec(rest))
    return harvest_name(config) if rule == "harvest_shard" else rule


def benchmark_tables(folder: Path) -> dict[str, tuple[float, float]]:
    """Seconds and bytes of each job that has a table of Snakemake's, by the name of its record."""
    logs = folder.parent.parent / "logs" / folder.name
    found = {}
    for path in sorted(logs.rglob("*.tsv")):
        with path.open(encoding="utf-8", newline="") as handle:
            rows = list(csv.DictReader(handle, delimiter="\t"))
        job = ".".join(path.relative_to(logs).with_suffix("").parts)
        found[job] = (number(rows[-1]["s"]), number(rows[-1]["max_rss"]) * MIB)
    return found


def number(text: str) -> float:
    """A number of such a table; jobs too short to be looked at have none."""
    try:
        value = float(text)
    except ValueError:
        return 0.0
    return value if np.isfinite(value) else 0.0


def disk_of_stages(folder: Path, config: Config) -> dict[str, float]:
    """Bytes of the files of each stage."""
    found = {}
    for rule, patterns in FILES.items():
        if (rule == "import_activations") != is_imported(config) and rule in ("import_activations", "harvest_shard"):
            continue
        stage = harvest_name(config) if rule == "harvest_shard" else rule
        files = [path for pattern in patterns for path in folder.glob(pattern) if path.is_file()]
        found[stage] = float(sum(path.stat().st_size for path in files))
    return found
