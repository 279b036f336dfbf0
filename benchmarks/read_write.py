"""How fast activations are written, indexed and sliced, beside copying files and scanning them with other tools.

    .venv/bin/python benchmarks/read_write.py              everything, some 3 minutes on two cores
    .venv/bin/python benchmarks/read_write.py --only slice writer

Run it on a quiet machine. The activations (1e8 entries: 1.25 million tokens of 80 latents) are made first, in a folder
below ``--folder``, which must be on a real disk; it is removed at the end and takes up to 3 GB. As root the page cache
is dropped before each reading of the section ``index``; else the numbers are of a warm cache, and say so. Sections that
are left out keep the numbers of the last run (docs/benchmarks/read_write.json). ``--copies 1 2 4 10`` goes up to 1e9
entries in the section ``memory`` (16 GB).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from measuring import parser_of, run_sections, take_turns
from other_slicers import Slice, duckdb_scans, polars_scans
from stored_activations import (
    INDEX_FILES,
    TOKENS_PER_PART,
    WORKLOAD,
    index_shards,
    make_shards,
    manifests_in,
    repeat_shards,
    run_job,
    sizes_of,
)
from synthetic_activations import generate_blocks, plan_sources

from coactivation_manifolds.activations.activation_writer import ROWS_PER_GROUP, ShardWriter
from coactivation_manifolds.activations.index import FeatureIndex
from coactivation_manifolds.schemas import ACTIVATIONS_DICTIONARY
from coactivation_manifolds.storage import ZSTD_LEVEL, sha256_file

TOKENS, WRITER_PARTS, CLUSTER_SIZE = 1_250_000, 16, 10
SECTIONS = ("memory", "index", "slice", "writer")
"""Memory first: a new process starts with the largest memory of the one that started it."""

DROP_CACHES = Path("/proc/sys/vm/drop_caches")
JOBS = ("build_index", "rank_latent_tokens", "summarize_activations")


def main() -> int:
    """Run the sections that are asked for."""
    parser = parser_of(__doc__, SECTIONS)
    parser.add_argument("--tokens", type=int, default=TOKENS, help="for a trial")
    parser.add_argument("--copies", type=int, nargs="+", default=[1, 2], help="sizes of the section memory")
    parser.add_argument("--folder", type=Path, default=Path(), help="where the files are made")
    parser.add_argument("--job", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.job == "make_shards":
        make_shards(arguments.folder, arguments.tokens)
        return 0
    if arguments.job:
        print(json.dumps(run_job(arguments.job, arguments.folder, arguments.threads)))
        return 0
    with tempfile.TemporaryDirectory(dir=arguments.folder, prefix="benchmark-") as folder:
        arguments.folder = Path(folder)
        arguments.shards = arguments.folder / "activations"
        arguments.shards.mkdir()
        if arguments.only != ["writer"]:
            in_process("make_shards", arguments.shards, arguments)
        run_sections("read_write", arguments, {section: globals()[f"measure_{section}"] for section in SECTIONS})
    return 0


def in_process(job: str, folder: Path, arguments: argparse.Namespace) -> str:
    """Run a job in a process of its own; what it prints."""
    options = ["--job", job, "--folder", str(folder), "--tokens", str(arguments.tokens)]
    command = [sys.executable, __file__, *options, "--threads", str(arguments.threads)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def measure_memory(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Seconds and largest memory of the jobs that read all activations, at growing sizes."""
    points = []
    for copies in arguments.copies:
        folder = arguments.folder / "repeated"
        sizes = sizes_of(repeat_shards(manifests_in(arguments.shards), folder, copies))
        jobs = {job: json.loads(in_process(job, folder, arguments)) for job in JOBS}
        points.append({**sizes, "jobs": jobs})
        shutil.rmtree(folder)
    return points


def measure_index(arguments: argparse.Namespace) -> dict[str, Any]:
    """Building the index, on one thread and on all, beside copying the files that it reads; all flushed to disk."""
    manifests = manifests_in(arguments.shards)
    threads = sorted({1, arguments.threads})
    tools: dict[str, Callable[[], Any]] = {"copy": lambda: copy_files(arguments.shards, arguments.folder / "copy")}
    for count in threads:
        tools[f"index, {count} thread{'s' if count > 1 else ''}"] = lambda count=count: index_shards(
            manifests, arguments.folder / f"index{count}", threads=count
        )
    index_shards(manifests[:1], arguments.folder / "warm", threads=1)
    cold: list[bool] = []
    repetitions = min(3, arguments.repetitions)
    times, _ = take_turns(tools, repetitions, before=lambda: cold.append(drop_caches()))
    made = [
        {file: sha256_file(arguments.folder / f"index{k}" / file) for file in INDEX_FILES.values()} for k in threads
    ]
    assert all(hashes == made[0] for hashes in made)
    index_bytes = sum(path.stat().st_size for path in (arguments.folder / "index1").iterdir())
    for folder in ("copy", "warm", *(f"index{count}" for count in threads)):
        shutil.rmtree(arguments.folder / folder)
    return {**sizes_of(manifests), "index_bytes": index_bytes, "cold": all(cold), "seconds": times}


def measure_slice(arguments: argparse.Namespace) -> dict[str, Any]:
    """Ten latents that fire together, cut out of all tokens: through the index, and by scans of the Parquet files."""
    manifests = manifests_in(arguments.shards)
    offsets = index_shards(manifests, arguments.folder / "index", threads=arguments.threads)
    clusters = {}
    for name, chosen in clusters_of(FeatureIndex.open(offsets)).items():
        best = best_scans(str(manifests[0].parent / "*.parquet"), chosen, arguments.threads)
        files = str(arguments.shards / "*/*.parquet")
        scans = {**polars_scans(files, chosen), **duckdb_scans(files, chosen, threads=arguments.threads)}
        tools = {"ours": lambda chosen=chosen: sliced(offsets, chosen), **{scan: scans[scan] for scan in best}}
        times, last = take_turns(tools, arguments.repetitions)
        for other in last.values():
            np.testing.assert_array_equal(other[0], last["ours"][0])
            np.testing.assert_array_equal(other[1], last["ours"][1])
        n_entries = int(np.count_nonzero(last["ours"][1]))
        clusters[name] = {"n_rows": len(last["ours"][0]), "n_entries": n_entries, "tried": best, "seconds": times}
    shutil.rmtree(arguments.folder / "index")
    return {**sizes_of(manifests), "clusters": clusters}


def measure_writer(arguments: argparse.Namespace) -> dict[str, Any]:
    """Writing parts with their checks, hashes and manifest, beside pyarrow's ``write_table`` of the same tables."""
    n_tokens = min(arguments.tokens, WRITER_PARTS * TOKENS_PER_PART)
    blocks = list(generate_blocks(WORKLOAD, n_tokens, block_tokens=TOKENS_PER_PART))
    tables = [rows.to_table() for rows in blocks]
    folder = arguments.folder / "written"

    def ours() -> None:
        writer = ShardWriter(folder / "ours", shard=0, n_latents=WORKLOAD.n_latents, fingerprint={})
        for number, rows in enumerate(blocks):
            writer.write_part(number, rows, first_batch=number, last_batch=number)
        writer.commit(folder / "ours/manifest.json", expected_parts=len(blocks))

    def pyarrow_writes(**options: Any) -> None:
        for number, table in enumerate(tables):
            pq.write_table(
                table,
                folder / f"{number}.parquet",
                compression="zstd",
                compression_level=ZSTD_LEVEL,
                row_group_size=ROWS_PER_GROUP,
                **options,
            )

    def clear() -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()

    tools: dict[str, Callable[[], Any]] = {
        "ours": ours,
        "pyarrow, our encodings": lambda: pyarrow_writes(use_dictionary=list(ACTIVATIONS_DICTIONARY)),
        "pyarrow, its defaults": pyarrow_writes,
    }
    times, _ = take_turns(tools, arguments.repetitions, before=clear)
    clear()
    ours()
    for number, table in enumerate(tables):
        assert pq.read_table(folder / f"ours/part-{number:05d}.parquet").equals(table)
    n_entries = sum(rows.n_entries for rows in blocks)
    shutil.rmtree(folder)
    return {"n_latents": WORKLOAD.n_latents, "n_tokens": n_tokens, "n_entries": n_entries, "seconds": times}


def drop_caches() -> bool:
    """Flush what is unwritten and empty the page cache; whether that was allowed."""
    os.sync()
    try:
        DROP_CACHES.write_text("3\n", encoding="ascii")
    except OSError:
        return False
    return True


def copy_files(source: Path, target: Path) -> None:
    """Copy a folder's Parquet files and flush them to disk."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target, copy_function=shutil.copyfile)
    for path in target.rglob("*.parquet"):
        with path.open("rb+") as handle:
            os.fsync(handle.fileno())


def clusters_of(index: FeatureIndex) -> dict[str, list[int]]:
    """Ten latents of a group: the group of middling and the one of most firings among those that have ten."""
    groups = [members[:CLUSTER_SIZE] for members, _ in plan_sources(WORKLOAD).groups() if len(members) >= CLUSTER_SIZE]
    groups.sort(key=lambda members: int(index.counts[members].sum()))
    return {"middling": groups[len(groups) // 2].tolist(), "most frequent": groups[-1].tolist()}


def sliced(offsets_path: Path, chosen: list[int]) -> Slice:
    """The slice through the index, opened anew. Tokens have no gaps here, so a token_row is a token_index."""
    rows = FeatureIndex.open(offsets_path).slice(chosen)
    return rows.token_rows, rows.activations


def best_scans(files: str, chosen: list[int], threads: int) -> dict[str, float]:
    """Of the ways to ask each tool the fastest on one shard, with its seconds."""
    best = {}
    for scans in (polars_scans(files, chosen), duckdb_scans(files, chosen, threads=threads)):
        if scans:
            times = take_turns(scans, 1)[0]
            name = min(times, key=lambda scan: times[scan][0])
            best[name] = times[name][0]
    return best


if __name__ == "__main__":
    sys.exit(main())
