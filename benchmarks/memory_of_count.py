"""The job that counts one shard (pass 1), in a process of its own: its largest memory.

It reads a stored shard, counts, and writes its files, as ``workflow_scripts/count_shard.py`` has it done.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from measuring import largest_memory_kib
from stored_activations import make_shards, manifests_in
from synthetic_activations import Workload

from coactivation_manifolds.cooccurrence.shard_counts import count_shard
from coactivation_manifolds.storage import open_table

FLOOR = 0.02


def main() -> int:
    """Write a shard, or count the one that is there and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--make", nargs=2, type=int, metavar=("LATENTS", "TOKENS"))
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    if arguments.make:
        n_latents, n_tokens = arguments.make
        make_shards(arguments.folder, n_tokens, workload=Workload(n_latents=n_latents), n_shards=1)
    else:
        print(json.dumps(count_stored(arguments.folder, arguments.threads)))
    return 0


def measure_job(n_latents: int, n_tokens: int, *, threads: int) -> dict[str, Any]:
    """Make a shard and count it twice, in processes; the first count, which may compile, is left out."""
    with tempfile.TemporaryDirectory() as name:
        in_process(name, "--make", str(n_latents), str(n_tokens))
        _, last = (in_process(name, "--threads", str(threads)) for _ in range(2))
    return {"n_latents": n_latents, **json.loads(last)}


def in_process(*arguments: str) -> str:
    """Run this script in a process of its own; what it prints."""
    command = [sys.executable, __file__, *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def count_stored(folder: Path, threads: int) -> dict[str, Any]:
    """Run the job in this process: largest memory before and after (KiB), children included, and sizes."""
    manifest = manifests_in(folder)[0]
    counts, totals = folder / "counts.parquet", folder / "totals.json"
    before = largest_memory_kib()
    count_shard(
        manifest,
        jaccard_floor=FLOOR,
        positions=None,
        threads=threads,
        counts_path=counts,
        marginals_path=folder / "marginals.npy",
        totals_path=totals,
    )
    of_job = {"maxrss_before_kib": before, "maxrss_kib": largest_memory_kib()}
    sizes = json.loads(totals.read_text(encoding="utf-8"))
    with open_table(counts) as parquet:
        pairs = int(parquet.metadata.num_rows)
    n_bytes = sum(path.stat().st_size for path in manifest.parent.glob("part-*.parquet"))
    return of_job | {key: sizes[key] for key in ("n_tokens", "n_entries")} | {"pairs": pairs, "bytes": n_bytes}


if __name__ == "__main__":
    sys.exit(main())
