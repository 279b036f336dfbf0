"""What counting in shards costs beside counting: bytes of the partial counts, pass 2, the merge, adding shards.

    .venv/bin/python benchmarks/merge_shards.py                 everything, some three minutes on two cores
    .venv/bin/python benchmarks/merge_shards.py --only growing

Run it on a quiet machine. The library's own job functions read and write files in a temporary folder; a warm page cache
is assumed, as for shards that were just written.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from measuring import largest_memory_kib, parser_of, run_sections
from partial_counts import PARTIALS, Partials, write_partials
from synthetic_activations import Workload, generate_blocks

from coactivation_manifolds.activations.activation_writer import ShardWriter
from coactivation_manifolds.cooccurrence.candidates import merge_candidates
from coactivation_manifolds.cooccurrence.recount import recount_shard
from coactivation_manifolds.cooccurrence.shard_counts import count_shard
from coactivation_manifolds.similarity.edges import reduce_counts
from coactivation_manifolds.storage import open_table, write_json

FLOOR = 0.02
TOKENS, TOKENS_PER_SHARD = 1_000_000, 250_000
SHARD_SIZES = (50_000, 100_000, 250_000, 500_000)
OLD_SHARDS, FEWER_LATENTS = 20, 5
SECTIONS = ("reduce", "bytes", "shard_size", "growing")
"""Memory first: a new process starts with the largest memory of the one that started it."""


def main() -> int:
    """Run the sections that are asked for."""
    parser = parser_of(__doc__, SECTIONS)
    parser.add_argument("--tokens", type=int, default=TOKENS, help="tokens of all shards together")
    parser.add_argument("--latents", type=int, default=Workload().n_latents)
    parser.add_argument("--shards", type=int, default=PARTIALS.n_shards, help="shards of the section reduce")
    parser.add_argument("--rows", type=int, default=PARTIALS.chance_pairs, help="and the chance pairs of each")
    parser.add_argument("--memory-of", nargs=3, metavar=("JOB", "FOLDER", "SHARDS"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.memory_of:
        job, folder, shards = arguments.memory_of
        print(json.dumps(memory_of_job(job, Partials(Path(folder), int(shards)))))
        return 0
    run_sections("merge_shards", arguments, {section: globals()[f"measure_{section}"] for section in SECTIONS})
    return 0


def measure_bytes(arguments: argparse.Namespace) -> dict[str, Any]:
    """Bytes of partials and activations, and the times of both passes, at the default size of a shard."""
    size = TOKENS_PER_SHARD * arguments.tokens // TOKENS
    with tempfile.TemporaryDirectory() as folder:
        runs = [both_passes(arguments, size, Path(folder)) for _ in range(max(2, min(3, arguments.repetitions)))]
    for name in ("count_seconds", "recount_seconds"):
        runs[-1][name] = [run[name] for run in runs[1:]]  # the first one compiled
    return runs[-1]


def measure_shard_size(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """The same tokens in shards of other sizes."""
    results = []
    for size in SHARD_SIZES:
        with tempfile.TemporaryDirectory() as folder:
            scaled = size * arguments.tokens // TOKENS
            if not results:
                both_passes(arguments, scaled, Path(folder), most_shards=1)  # compiles
            results.append(both_passes(arguments, scaled, Path(folder)))
    return results


def measure_growing(arguments: argparse.Namespace) -> dict[str, Any]:
    """Everything for 21 shards, and what is made anew when the 21st is added to 20.

    A fifth of the latents on shards of a fifth of the default size: a latent fires as often in a shard as by default.
    """
    size = arguments.tokens // OLD_SHARDS
    smaller = argparse.Namespace(**vars(arguments) | {"latents": arguments.latents // FEWER_LATENTS})
    manifests = shards(smaller, size, OLD_SHARDS + 1)
    times: dict[str, list[float]] = {"all at once": [], "one added": []}
    with tempfile.TemporaryDirectory() as name:
        partials = Partials(Path(name), len(manifests))
        grow(manifests, partials, range(len(manifests)), arguments.threads)  # compiles, and counts the old ones
        edges = []
        for _ in range(min(2, arguments.repetitions)):
            for tool, counted in (("all at once", range(OLD_SHARDS + 1)), ("one added", [OLD_SHARDS])):
                times[tool].append(grow(manifests, partials, counted, arguments.threads))
                edges.append((partials.folder / "edges.parquet").read_bytes())
        assert len(set(edges)) == 1
    return {
        "n_shards": len(manifests),
        "n_latents": smaller.latents,
        "tokens_per_shard": size,
        "seconds": times,
    }


def measure_reduce(arguments: argparse.Namespace) -> dict[str, Any]:
    """Seconds and largest memory of the merge and of the reduce of very many shards, each in a process of its own."""
    with tempfile.TemporaryDirectory() as name:
        partials = write_partials(
            Path(name), n_latents=arguments.latents, n_shards=arguments.shards, chance_pairs=arguments.rows
        )
        files = list(partials.folder.glob("*.parquet"))
        rows = sum(n_rows(path) for path in files)
        results: dict[str, Any] = {
            "n_shards": partials.n_shards,
            "n_latents": arguments.latents,
            "rows": rows,
            "bytes": sum(path.stat().st_size for path in files),
        }
        for job in ("merge", "reduce"):
            command = [sys.executable, __file__, "--memory-of", job, name, str(partials.n_shards)]
            made_by = subprocess.run(command, check=True, capture_output=True, text=True)
            results[job] = json.loads(made_by.stdout.splitlines()[-1])
    return results


def memory_of_job(job: str, partials: Partials) -> dict[str, Any]:
    """Run a job in this process: seconds, largest memory (KiB) before and after, and rows that it wrote."""
    before = largest_memory_kib()
    begin = time.perf_counter()
    path = merge(partials) if job == "merge" else reduce(partials)
    seconds = time.perf_counter() - begin
    return {
        "seconds": round(seconds, 3),
        "maxrss_before_kib": before,
        "maxrss_kib": largest_memory_kib(),
        "rows": n_rows(path),
    }


def both_passes(
    arguments: argparse.Namespace, size: int, folder: Path, *, most_shards: int | None = None
) -> dict[str, Any]:
    """Count, merge and recount the tokens in shards of a size; seconds of each, and bytes."""
    manifests = shards(arguments, size, arguments.tokens // size)[:most_shards]
    partials = Partials(folder, len(manifests))
    numbered = list(enumerate(manifests))
    counted = timed(lambda: [count(manifest, partials, shard, arguments.threads) for shard, manifest in numbered])
    merged = timed(lambda: merge(partials))
    recounted = timed(lambda: [recount(manifest, partials, shard, arguments.threads) for shard, manifest in numbered])
    kept = sum(n_rows(path) for path in partials.counts)
    written = [*partials.counts, *partials.recounts, *partials.marginals, *partials.totals, partials.candidates]
    activation_files = {path for manifest in manifests for path in part_files(manifest)}
    return {
        "tokens_per_shard": size,
        "n_shards": len(manifests),
        "kept_pairs": kept,
        "candidates": n_rows(partials.candidates),
        "activation_bytes": sum(path.stat().st_size for path in activation_files),
        "partial_bytes": sum(path.stat().st_size for path in written),
        "count_seconds": counted,
        "merge_seconds": merged,
        "recount_seconds": recounted,
    }


def grow(manifests: Sequence[Path], partials: Partials, counted: Sequence[int], threads: int) -> float:
    """Seconds from shards of which some are counted to the edges of all."""

    def run() -> None:
        for shard in counted:
            count(manifests[shard], partials, shard, threads)
        merge(partials)
        for shard, manifest in enumerate(manifests):
            recount(manifest, partials, shard, threads)
        reduce(partials)

    return timed(run)


def count(manifest: Path, partials: Partials, shard: int, threads: int) -> None:
    """Pass 1."""
    count_shard(
        manifest,
        jaccard_floor=FLOOR,
        positions=None,
        threads=threads,
        counts_path=partials.counts[shard],
        marginals_path=partials.marginals[shard],
        totals_path=partials.totals[shard],
    )


def merge(partials: Partials) -> Path:
    """The candidates."""
    merge_candidates(partials.counts, partials.marginals, jaccard_floor=FLOOR, candidates_path=partials.candidates)
    return partials.candidates


def recount(manifest: Path, partials: Partials, shard: int, threads: int) -> None:
    """Pass 2."""
    recount_shard(
        manifest,
        counts_path=partials.counts[shard],
        marginals_path=partials.marginals[shard],
        candidates_path=partials.candidates,
        positions=None,
        threads=threads,
        recount_path=partials.recounts[shard],
    )


def reduce(partials: Partials) -> Path:
    """The edges, with the defaults of an experiment."""
    edges = partials.folder / "edges.parquet"
    reduce_counts(
        partials.counts,
        partials.recounts,
        partials.marginals,
        partials.totals,
        decoder_path=None,
        jaccard_floor=FLOOR,
        min_count=10,
        min_firings=1,
        max_density=None,
        edges_path=edges,
        totals_path=partials.folder / "totals_of_all.json",
        tail_path=partials.folder / "tail.parquet",
    )
    return edges


@cache
def activations(n_tokens: int, n_latents: int) -> tuple[tempfile.TemporaryDirectory[str], dict[str, Any], int]:
    """A folder with parts of the synthetic tokens, the manifest of all, and the tokens of a part.

    A twentieth more than asked for, so that there is a shard to add.
    """
    folder = tempfile.TemporaryDirectory()
    part_tokens = max(1, n_tokens // 100)
    workload = Workload(n_latents=n_latents, mean_l0=min(80.0, n_latents / 40))
    writer = ShardWriter(folder.name, shard=0, n_latents=workload.n_latents, fingerprint={"workload": workload.seed})
    blocks = generate_blocks(workload, n_tokens + n_tokens // OLD_SHARDS, block_tokens=part_tokens)
    number = 0
    for number, block in enumerate(blocks):
        writer.write_part(number, block, first_batch=number, last_batch=number)
    return folder, writer.manifest(expected_parts=number + 1), part_tokens


def shards(arguments: argparse.Namespace, size: int, n_shards: int) -> list[Path]:
    """Manifests that put the same parts together in shards of ``size`` tokens."""
    folder, manifest, part_tokens = activations(arguments.tokens, arguments.latents)
    parts = size // part_tokens
    paths = []
    for shard in range(n_shards):
        mine = manifest["parts"][shard * parts : (shard + 1) * parts]
        paths.append(Path(folder.name) / f"{size}_{shard}.json")
        sums = {key: sum(part[of] for part in mine) for key, of in (("n_tokens", "rows"), ("n_entries", "entries"))}
        write_json(manifest | sums | {"shard": shard, "parts": mine}, paths[-1])
    return paths


def part_files(manifest: Path) -> list[Path]:
    """The parts of a shard."""
    return [manifest.with_name(part["file"]) for part in json.loads(manifest.read_text(encoding="utf-8"))["parts"]]


def n_rows(path: Path) -> int:
    """Rows of a Parquet file."""
    with open_table(path) as parquet:
        return int(parquet.metadata.num_rows)


def timed(work: Callable[[], Any]) -> float:
    """Seconds that something takes."""
    begin = time.perf_counter()
    work()
    return round(time.perf_counter() - begin, 4)


if __name__ == "__main__":
    sys.exit(main())
