"""The whole workflow at full size: 65,536 latents, 10 million tokens, 100 latents on a token, 1e9 entries.

    .venv/bin/python benchmarks/full_run.py                         all of it: some 20 minutes, 20 GB of disk
    .venv/bin/python benchmarks/full_run.py --tokens 200000 --latents 8192 --width 64

Makes synthetic activations as Parquet files (data/bench_full), imports them, and runs the workflow to a sweep of
clusterings and the figures of one, in results/bench_full. Seconds and largest memory of each job are those that the
jobs themselves record of their own process (provenance/). Activations that were made before are taken; results of an
earlier run are not, unless ``--keep-import`` says that its imported activations, and the seconds of the import, stay.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from measuring import parser_of, recorded, run_sections
from synthetic_activations import Workload, generate_blocks

from coactivation_manifolds import paths
from coactivation_manifolds.activations.activation_writer import ShardWriter
from coactivation_manifolds.storage import read_json, read_table, write_array

NAME = "bench_full"
DATA = Path("data") / NAME
SHARD_TOKENS, PART_TOKENS = 250_000, 8_192
DRAWN = "components_j0.20"
EXPERIMENT = """\
description: synthetic activations of benchmarks/full_run.py
activations:
  format: parquet
  path: {data}/shard=*/part-*.parquet
  n_latents: {n_latents}
  shards: {n_shards}
  decoder: {data}/decoder.npy
clustering:
  headline: {drawn}
"""


def main() -> int:
    """Make the activations, then time the workflow on them."""
    parser = parser_of(__doc__, ("workflow",))
    parser.add_argument("--tokens", type=int, default=10_000_000)
    parser.add_argument("--latents", type=int, default=65_536)
    parser.add_argument("--mean-l0", type=float, default=100.0)
    parser.add_argument("--width", type=int, default=2_304, help="d_model of the decoder rows, which are random")
    parser.add_argument("--keep-import", action="store_true", help="take what an earlier run imported")
    parser.add_argument("--only-activations", action="store_true", help="make them and stop")
    arguments = parser.parse_args()
    begin = time.perf_counter()
    make_activations(arguments)
    print(f"activations: {time.perf_counter() - begin:.0f} s", flush=True)
    if not arguments.only_activations:
        run_sections("full_run", arguments, {"workflow": measure_workflow})
    return 0


def make_activations(arguments: argparse.Namespace) -> None:
    """Parquet files through the workflow's own writer, several shards at once; those that are there stay."""
    workload = Workload(n_latents=arguments.latents, mean_l0=arguments.mean_l0)
    starts = range(0, arguments.tokens, SHARD_TOKENS)
    with ProcessPoolExecutor(arguments.threads) as pool:
        list(pool.map(partial(make_shard, workload=workload, n_tokens=arguments.tokens), starts))
    decoder = DATA / "decoder.npy"
    if not decoder.exists():
        rng = np.random.default_rng(workload.seed)
        write_array(rng.standard_normal((arguments.latents, arguments.width), np.float32), decoder)


def make_shard(first: int, *, workload: Workload, n_tokens: int) -> None:
    """One shard's parts."""
    shard, last = first // SHARD_TOKENS, min(first + SHARD_TOKENS, n_tokens)
    folder = DATA / paths.fill("shard={shard}", shard=shard)
    fingerprint = {"workload": repr(workload)}
    writer = ShardWriter(folder, shard=shard, n_latents=workload.n_latents, fingerprint=fingerprint)
    rows_of_parts = {k: min(PART_TOKENS, last - start) for k, start in enumerate(range(first, last, PART_TOKENS))}
    if len(writer.completed_parts(rows_of_parts)) == len(rows_of_parts):
        return
    for part, rows in enumerate(generate_blocks(workload, last, block_tokens=PART_TOKENS, first_token=first)):
        writer.write_part(part, rows, first_batch=part, last_batch=part)


def measure_workflow(arguments: argparse.Namespace) -> dict[str, Any]:
    """Import, then everything to the figures: seconds of the two calls, and seconds and memory of their jobs."""
    n_shards = -(-arguments.tokens // SHARD_TOKENS)
    text = EXPERIMENT.format(data=DATA, n_latents=arguments.latents, n_shards=n_shards, drawn=DRAWN)
    experiment = Path(f"config/experiments/{NAME}.yaml")
    experiment.write_text(text, encoding="utf-8")
    earlier = recorded("full_run").get("workflow", {}) if arguments.keep_import else {}
    forget_results(keep_import=bool(earlier))
    manifests = [str(paths.fill(paths.MANIFEST, experiment=NAME, shard=k)) for k in range(n_shards)]
    drawn = [paths.fill(template, experiment=NAME, clustering=DRAWN) for template in (paths.VARIANCE, paths.ATLAS)]
    targets = [str(path) for path in (paths.fill(paths.SWEEP_SUMMARY, experiment=NAME), *drawn)]
    try:
        seconds = {
            "import": earlier["seconds"]["import"] if earlier else snakemake(arguments.threads, manifests),
            "index to figures": snakemake(arguments.threads, targets),
        }
    finally:
        experiment.unlink()
    return {
        **sizes(n_shards),
        "seconds": seconds,
        "stages": stages(),
    }


def forget_results(*, keep_import: bool) -> None:
    """Delete the results of an earlier run, but for the imported activations where they are to stay."""
    folder = Path(paths.ROOT.format(experiment=NAME))
    imported = ("import_activations", "publish_import_shard")
    for path in sorted(folder.glob("*/*")):
        kept = path.parent.name == "activations" or path.name == "vocab.parquet" or path.name.startswith(imported)
        if kept and keep_import:
            continue
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def snakemake(threads: int, targets: list[str]) -> float:
    """Seconds of one call."""
    begin = time.perf_counter()
    command = [
        sys.executable,
        "-m",
        "snakemake",
        "--profile",
        "local",
        "--cores",
        str(threads),
        *targets,
        "--quiet",
        "rules",
    ]
    subprocess.run(command, check=True, env={**os.environ, "CUDA_VISIBLE_DEVICES": ""})
    return round(time.perf_counter() - begin, 1)


def sizes(n_shards: int) -> dict[str, Any]:
    """Tokens, entries, edges, clusters, and bytes on disk."""
    results = Path(paths.PROVENANCE.format(experiment=NAME)).parent
    totals = read_json(paths.fill(paths.TOTALS, experiment=NAME))
    k = np.array(totals["k_t"], np.int64).reshape(-1, 2)
    clusters = read_table(paths.fill(paths.CLUSTERS_SUMMARY, experiment=NAME, clustering=DRAWN))
    return {
        "n_tokens": int(totals["n_tokens"]),
        "n_entries": int(totals["n_entries"]),
        "increments": int((k[:, 0] * (k[:, 0] - 1) // 2 * k[:, 1]).sum()),
        "shards": n_shards,
        "edges": read_table(paths.fill(paths.EDGES, experiment=NAME)).num_rows,
        "clusters": clusters.num_rows,
        "drawn": sum(1 for _ in paths.fill(paths.ATLAS, experiment=NAME, clustering=DRAWN).glob("*/pca.png")),
        "bytes": {
            folder.name: sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
            for folder in sorted(results.iterdir())
            if folder.is_dir()
        },
    }


def stages() -> dict[str, dict[str, float]]:
    """Jobs, their seconds together, and the largest memory, by rule."""
    found: dict[str, dict[str, float]] = defaultdict(
        lambda: {"jobs": 0, "seconds": 0.0, "cpu_seconds": 0.0, "mib": 0.0}
    )
    for file in sorted(Path(paths.PROVENANCE.format(experiment=NAME)).glob("*.json")):
        record = json.loads(file.read_text(encoding="utf-8"))
        stage = found[file.name.split(".")[0]]
        stage["jobs"] += 1
        stage["seconds"] += record["seconds"]
        stage["cpu_seconds"] += record["cpu_seconds"]
        stage["mib"] = max(stage["mib"], record["peak_memory_mib"] or 0.0)
    return {name: {key: round(value, 1) for key, value in stage.items()} for name, stage in found.items()}


if __name__ == "__main__":
    sys.exit(main())
