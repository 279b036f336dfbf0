"""Shards of synthetic activations on disk, and jobs on them that are measured in processes of their own."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

from measuring import largest_memory_kib
from synthetic_activations import Workload, generate_blocks

from coactivation_manifolds.activations.activation_writer import ShardWriter
from coactivation_manifolds.activations.index import FeatureIndex
from coactivation_manifolds.activations.index_build import build_index
from coactivation_manifolds.activations.latent_tokens import rank_latent_tokens
from coactivation_manifolds.activations.summary import summarize_activations

WORKLOAD = Workload()
TOKENS_PER_PART, SHARDS = 8_192, 5
INDEX_FILES = {
    "offsets_path": "feature_offsets.npy",
    "token_rows_path": "token_rows.npy",
    "values_path": "values.npy",
    "tokens_path": "tokens.arrow",
}


def make_shards(folder: Path, n_tokens: int, *, workload: Workload = WORKLOAD, n_shards: int = SHARDS) -> None:
    """Write the shards as a harvest does: parts of 8,192 tokens and a manifest."""
    n_parts = -(-n_tokens // TOKENS_PER_PART)
    parts_per_shard = -(-n_parts // n_shards)
    for number, rows in enumerate(generate_blocks(workload, n_tokens, block_tokens=TOKENS_PER_PART)):
        shard, part = divmod(number, parts_per_shard)
        place = folder / f"shard={shard:06d}"
        writer = ShardWriter(place, shard=shard, n_latents=workload.n_latents, fingerprint={"seed": workload.seed})
        writer.write_part(part, rows, first_batch=part, last_batch=part)
        if part == parts_per_shard - 1 or number == n_parts - 1:
            writer.commit(place / "manifest.json", expected_parts=part + 1)


def repeat_shards(manifests: list[Path], folder: Path, copies: int) -> list[Path]:
    """The same shards several times over, as links: more entries to read without the disk that they would take."""
    repeated = []
    for copy in range(copies):
        for path in manifests:
            content = json.loads(path.read_text(encoding="utf-8"))
            place = folder / f"shard={len(repeated):06d}"
            place.mkdir(parents=True)
            for part in content["parts"]:
                os.link(path.with_name(part["file"]), place / part["file"])
            for key in ("first_token_index", "last_token_index"):
                content[key] += copy * 10**10
            content["shard"] = len(repeated)
            repeated.append(place / "manifest.json")
            repeated[-1].write_text(json.dumps(content), encoding="utf-8")
    return repeated


def manifests_in(folder: Path) -> list[Path]:
    """The manifests of all shards, in order."""
    return sorted(folder.glob("shard=*/manifest.json"))


def sizes_of(manifests: list[Path]) -> dict[str, int]:
    """Tokens, entries, and bytes of the parts."""
    contents = [json.loads(path.read_text(encoding="utf-8")) for path in manifests]
    parts = [part for path in manifests for part in path.parent.glob("part-*.parquet")]
    return {
        "n_latents": WORKLOAD.n_latents,
        "n_tokens": sum(content["n_tokens"] for content in contents),
        "n_entries": sum(content["n_entries"] for content in contents),
        "bytes": sum(part.stat().st_size for part in parts),
    }


def index_shards(manifests: list[Path], folder: Path, *, threads: int) -> Path:
    """Build the index anew; the path of its offsets."""
    shutil.rmtree(folder, ignore_errors=True)
    build_index(manifests, threads=threads, **{name: folder / file for name, file in INDEX_FILES.items()})
    return folder / INDEX_FILES["offsets_path"]


def run_job(job: str, shards: Path, threads: int) -> dict[str, Any]:
    """Run one job of the workflow on the shards in a folder in this process: seconds and largest memory (KiB)."""
    manifests, index, tables = manifests_in(shards), shards / "index", shards / "metadata"
    tables.mkdir(exist_ok=True)
    before = largest_memory_kib()
    begin = time.perf_counter()
    if job == "build_index":
        index_shards(manifests, index, threads=threads)
    elif job == "rank_latent_tokens":
        opened = FeatureIndex.open(index / INDEX_FILES["offsets_path"])
        rank_latent_tokens(opened, n_tokens=10, latent_tokens_path=tables / "latent_tokens.parquet")
    else:
        summarize_activations(
            manifests,
            resolved={},
            description_path=None,
            experiment_path=tables / "experiment.json",
            shard_stats_path=tables / "shard_stats.parquet",
            feature_counts_path=tables / "feature_counts.parquet",
        )
    seconds = time.perf_counter() - begin
    return {"seconds": round(seconds, 3), "maxrss_before_kib": before, "maxrss_kib": largest_memory_kib()}
