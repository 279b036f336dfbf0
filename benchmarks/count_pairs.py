"""How fast pairs are counted, beside other tools and the machine's ceiling.

    .venv/bin/python benchmarks/count_pairs.py              everything, some 20 minutes on two cores
    .venv/bin/python benchmarks/count_pairs.py --only scipy small

Run it on a quiet machine. Each tool starts from the same token-major arrays in memory; what it compiles or brings into
its own format is done before. Tools take turns, and medians are compared. Sections that are left out keep the numbers
of the last run (docs/benchmarks/count_pairs.json). ``pip install -e .[bench]`` brings the other tools; one that is not
there is reported so.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numba
import numpy as np
import numpy.typing as npt
from measuring import largest_memory_kib, parser_of, run_sections, take_turns
from other_counters import count_duckdb, count_polars, graphblas_product, scipy_product, upper_triangle
from synthetic_activations import Workload, generate_csr

from coactivation_manifolds.cooccurrence.kernel import count_pairs, count_pairs_reference
from coactivation_manifolds.cooccurrence.pair_counts import PairCounts

Array = npt.NDArray[Any]

FLOOR = (1, 50)
PRODUCT_TOKENS, SMALL_TOKENS, LONG_TOKENS = 50_000, 2_000, 500_000
SCALING_TOKENS = (25_000, 50_000, 100_000, 200_000, 400_000, 800_000)
SECTIONS = ("memory", "scipy", "graphblas", "small", "ceiling", "scaling")
"""Memory first: a new process starts with the largest memory of the one that started it."""


def main() -> int:
    """Run the sections that are asked for."""
    parser = parser_of(__doc__, SECTIONS)
    parser.add_argument("--tokens", type=int, help="instead of each section's own number, for a trial")
    parser.add_argument("--memory-of", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.memory_of:
        print(json.dumps(memory_of_job(arguments.memory_of, arguments.tokens, arguments.threads)))
        return 0
    warm_up(arguments.threads)
    run_sections("count_pairs", arguments, {section: globals()[f"measure_{section}"] for section in SECTIONS})
    return 0


def measure_scipy(arguments: argparse.Namespace) -> dict[str, Any]:
    """Ours, with and without pruning, against the product alone in SciPy."""
    workload, offsets, ids = made(arguments.tokens or PRODUCT_TOKENS)
    product = scipy_product(offsets, ids, workload.n_latents)
    times, last = take_turns(
        {
            "scipy A.T @ A": product,
            "ours": ours(offsets, ids, workload, arguments.threads, prune=False),
            "ours, pruned": ours(offsets, ids, workload, arguments.threads, prune=True),
        },
        arguments.repetitions,
    )
    expected = upper_triangle(last["scipy A.T @ A"], np.bincount(ids, minlength=workload.n_latents), FLOOR)
    check_equal(last["ours"], expected)
    check_equal(last["ours, pruned"], expected)
    return {**described(workload, offsets), "pairs": len(expected.a), "seconds": times}


def measure_graphblas(arguments: argparse.Namespace) -> dict[str, Any]:
    """Ours against the plus_pair product in SuiteSparse:GraphBLAS, materialised."""
    workload, offsets, ids = made(arguments.tokens or PRODUCT_TOKENS)
    product = graphblas_product(offsets, ids, workload.n_latents, threads=arguments.threads)
    if product is None:
        return {"missing": ["python-graphblas"]}
    times, last = take_turns(
        {"GraphBLAS plus_pair": product, "ours": ours(offsets, ids, workload, arguments.threads, prune=False)},
        arguments.repetitions,
    )
    n_pairs = last["GraphBLAS plus_pair"].nvals
    assert n_pairs == scipy_product(offsets, ids, workload.n_latents)().nnz
    return {**described(workload, offsets), "entries": int(n_pairs), "seconds": times}


def measure_small(arguments: argparse.Namespace) -> dict[str, Any]:
    """Ours against a dictionary, and group-bys of a self-join, where those fit into memory."""
    workload, offsets, ids = made(arguments.tokens or SMALL_TOKENS, Workload(n_latents=16_384, mean_l0=40))
    tools: dict[str, Callable[[], Any]] = {
        "ours": ours(offsets, ids, workload, arguments.threads, prune=False),
        "Python dictionary": lambda: count_pairs_reference(offsets, ids, n_latents=workload.n_latents, floor=FLOOR),
    }
    others = {
        "polars": count_polars(offsets, ids, floor=FLOOR),
        "duckdb": count_duckdb(offsets, ids, floor=FLOOR, threads=arguments.threads),
    }
    tools |= {f"{name} self-join": tool for name, tool in others.items() if tool is not None}
    times, last = take_turns(tools, arguments.repetitions)
    for pairs in last.values():
        check_equal(pairs, last["Python dictionary"])
    missing = [name for name, tool in others.items() if tool is None]
    return {**described(workload, offsets), "pairs": len(last["ours"].a), "seconds": times, "missing": missing}


def measure_ceiling(arguments: argparse.Namespace) -> dict[str, Any]:
    """Increments a second of a long shard on one core and on all, against a loop that does nothing else."""
    workload, offsets, ids = made(arguments.tokens or LONG_TOKENS)
    tools: dict[str, Callable[[], Any]] = {}
    for threads in (1, arguments.threads):
        cores = f"{threads} core{'s' if threads > 1 else ''}"
        tools[f"ceiling, {cores}"] = ceiling(threads)
        tools[f"ours, {cores}"] = ours(offsets, ids, workload, threads, prune=False)
        tools[f"ours, pruned, {cores}"] = ours(offsets, ids, workload, threads, prune=True)
    times, last = take_turns(tools, arguments.repetitions)
    check_equal(last["ours, 1 core"], last[f"ours, pruned, {arguments.threads} cores"])
    return {
        **described(workload, offsets),
        "pairs": len(last["ours, 1 core"].a),
        "seconds": times,
        "ceiling_increments": CEILING_INCREMENTS,
    }


def measure_scaling(arguments: argparse.Namespace) -> dict[str, Any]:
    """Seconds over increments, on one core and on all."""
    longest = arguments.tokens or max(SCALING_TOKENS)
    workload, offsets, ids = made(longest)
    points = []
    for n_tokens in [n for n in SCALING_TOKENS if n <= longest] or [longest]:
        part, part_ids = offsets[: n_tokens + 1], ids[: offsets[n_tokens]]
        tools = {
            f"{threads}{', pruned' if prune else ''}": ours(part, part_ids, workload, threads, prune=prune)
            for threads in (1, arguments.threads)
            for prune in (False, True)
        }
        points.append({**described(workload, part), "seconds": take_turns(tools, 3)[0]})
    return {"points": points}


def measure_memory(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Seconds, and the largest memory, of processes that count one shard."""
    results = []
    for n_latents in (65_536, 262_144):
        tokens = str(arguments.tokens or LONG_TOKENS)
        command = [sys.executable, __file__, "--memory-of", str(n_latents), "--tokens", tokens]
        made_by = subprocess.run(
            [*command, "--threads", str(arguments.threads)], check=True, capture_output=True, text=True
        )
        results.append(json.loads(made_by.stdout.splitlines()[-1]))
    return results


def memory_of_job(n_latents: int, n_tokens: int, threads: int) -> dict[str, Any]:
    """Count one shard in this process: its largest memory, before and after (KiB)."""
    warm_up(threads)
    workload, offsets, ids = made(n_tokens, Workload(n_latents=n_latents))
    before = largest_memory_kib()
    seconds, last = take_turns({"ours": ours(offsets, ids, workload, threads, prune=False)}, 3)
    after = largest_memory_kib()
    return {
        **described(workload, offsets),
        "pairs": len(last["ours"].a),
        "seconds": seconds,
        "input_kib": (offsets.nbytes + ids.nbytes) // 1024,
        "maxrss_before_kib": before,
        "maxrss_kib": after,
    }


def made(n_tokens: int, workload: Workload | None = None) -> tuple[Workload, Array, Array]:
    """A workload and its tokens; by default 65,536 latents of which 80 fire on a token."""
    workload = workload or Workload()
    return (workload, *generate_csr(workload, n_tokens))


def ours(offsets: Array, ids: Array, workload: Workload, threads: int, *, prune: bool) -> Callable[[], PairCounts]:
    """The product's kernel."""
    return lambda: count_pairs(offsets, ids, n_latents=workload.n_latents, floor=FLOOR, threads=threads, prune=prune)


def warm_up(threads: int) -> None:
    """Compile, for both types of ids and of counters."""
    for n_latents in (65_536, 65_537):
        offsets, ids = generate_csr(Workload(n_latents=n_latents, mean_l0=20), 2_000)
        count_pairs(offsets, ids, n_latents=n_latents, floor=FLOOR, threads=threads)
    _raise_counters(np.zeros(1, np.uint16), np.zeros(1, np.int32))


CEILING_INCREMENTS = 200_000_000
"""For each thread."""


def ceiling(threads: int) -> Callable[[], None]:
    """Counters at places that stand in a stored stream (4 million of 65,536, 256 KiB of counters: they stay in L2)."""
    rng = np.random.default_rng(0)
    streams = rng.integers(0, 1 << 16, (threads, 4_000_000), np.uint16)
    counters = np.zeros((threads, 1 << 16), np.int32)

    def work(k: int) -> None:
        for _ in range(CEILING_INCREMENTS // streams.shape[1]):
            _raise_counters(streams[k], counters[k])

    def run() -> None:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(work, range(threads)))

    return run


@numba.njit(nogil=True)
def _raise_counters(stream, counters):  # type: ignore[no-untyped-def]  # typed by numba
    for place in stream:
        counters[place] += np.int32(1)


def check_equal(one: PairCounts, other: PairCounts) -> None:
    """Stop where two tools disagree."""
    for left, right in zip(one, other, strict=True):
        np.testing.assert_array_equal(left, right)


def described(workload: Workload, offsets: Array) -> dict[str, Any]:
    """Sizes of what is counted."""
    k = np.diff(offsets)
    return {
        "n_latents": workload.n_latents,
        "n_tokens": len(k),
        "mean_l0": round(float(k.mean()), 2),
        "increments": int((k * (k - 1) // 2).sum()),
    }


if __name__ == "__main__":
    sys.exit(main())
