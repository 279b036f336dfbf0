"""How fast pairs are counted, beside other tools and the machine's ceiling.

    .venv/bin/python benchmarks/count_pairs.py              everything, some 5 minutes on two cores
    .venv/bin/python benchmarks/count_pairs.py --only scipy small

Run it on a quiet machine. Each tool starts from the same token-major arrays in memory; what it compiles or brings into
its own format is done before. Tools take turns, and medians are compared. Sections that are left out keep the numbers
of the last run (docs/benchmarks/count_pairs.json). ``pip install -e .[bench]`` brings the other tools; one that is not
there is reported so.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from increment_ceiling import CEILING_INCREMENTS, ceiling, raise_counters
from measuring import parser_of, run_sections, take_turns
from memory_of_count import measure_job
from other_counters import count_duckdb, count_polars, graphblas_product, scipy_product, upper_triangle
from pair_checks import check_bitmaps, check_equal
from phases_of_count import timed_classes, timed_phases
from synthetic_activations import Workload, generate_csr

from coactivation_manifolds.cooccurrence.kernel import count_pairs, count_pairs_reference
from coactivation_manifolds.cooccurrence.pair_counts import PairCounts

Array = npt.NDArray[Any]

FLOOR = (1, 50)
STANDARD, WIDE = Workload(), Workload(n_latents=262_144)
"""65,536 latents of which 80 fire on a mean token, and four times as many."""

PRODUCT_TOKENS, SMALL_TOKENS, LONG_TOKENS = 50_000, 2_000, 500_000
SCALING_TOKENS, MADE_TOKENS = (27_000, 85_000, 270_000, 850_000, 2_700_000), 540_000
"""1e8 to 1e10 increments; what is longer than is made repeats the same tokens, whose making would take minutes."""

SAMPLED_PAIRS = 2_000
SECTIONS = ("memory", "scipy", "graphblas", "small", "ceiling", "wide", "phases", "scaling")
"""Memory first, before anything is made: a new process starts with the largest memory of the one that started it."""


def main() -> int:
    """Run the sections that are asked for."""
    parser = parser_of(__doc__, SECTIONS)
    parser.add_argument("--tokens", type=int, help="instead of each section's own number, for a trial")
    arguments = parser.parse_args()
    run_sections("count_pairs", arguments, {section: globals()[f"measure_{section}"] for section in SECTIONS})
    return 0


def measure_scipy(arguments: argparse.Namespace) -> dict[str, Any]:
    """Ours, with and without pruning, against the product alone in SciPy."""
    workload, offsets, ids = made(arguments.tokens or PRODUCT_TOKENS, STANDARD)
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
    workload, offsets, ids = made(arguments.tokens or PRODUCT_TOKENS, STANDARD)
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
    return against_ceiling(arguments, STANDARD, (1, arguments.threads))


def measure_wide(arguments: argparse.Namespace) -> dict[str, Any]:
    """The same with 262,144 latents, on all cores."""
    return against_ceiling(arguments, WIDE, (arguments.threads,))


def against_ceiling(arguments: argparse.Namespace, workload: Workload, cores: tuple[int, ...]) -> dict[str, Any]:
    """Ours and the ceiling in turns; then the counts of some pairs against bitmaps."""
    _, offsets, ids = made(arguments.tokens or LONG_TOKENS, workload)
    tools: dict[str, Callable[[], Any]] = {}
    for threads in cores:
        name = f"{threads} core{'s' if threads > 1 else ''}"
        tools[f"ceiling, {name}"] = ceiling(threads)
        tools[f"ours, {name}"] = ours(offsets, ids, workload, threads, prune=False)
        tools[f"ours, pruned, {name}"] = ours(offsets, ids, workload, threads, prune=True)
    times, last = take_turns(tools, arguments.repetitions)
    pairs, *others = (result for name, result in last.items() if name.startswith("ours"))
    for other in others:
        check_equal(pairs, other)
    checked = check_bitmaps(offsets, ids, pairs, n_latents=workload.n_latents, floor=FLOOR, sampled=SAMPLED_PAIRS)
    return {
        **described(workload, offsets),
        "pairs": len(pairs.a),
        "seconds": times,
        "ceiling_increments": CEILING_INCREMENTS,
        "checked": checked,
    }


def measure_phases(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Seconds of the phases: a short shard that keeps many pairs, a long one that keeps few, one of many latents."""
    parts = []
    for n_tokens, wanted in ((PRODUCT_TOKENS, STANDARD), (LONG_TOKENS, STANDARD), (LONG_TOKENS, WIDE)):
        workload, offsets, ids = made(arguments.tokens or n_tokens, wanted)
        repetitions = arguments.repetitions if n_tokens < LONG_TOKENS else min(3, arguments.repetitions)
        tools = {str(threads): ours(offsets, ids, workload, threads, prune=False) for threads in (1, arguments.threads)}
        phases: dict[str, list[dict[str, float]]] = {name: [] for name in tools}
        for _ in range(repetitions):
            for name, tool in tools.items():
                phases[name].append(timed_phases(tool))
        classes = timed_classes(offsets, ids, n_latents=workload.n_latents, floor=FLOOR, repetitions=repetitions)
        pairs = sum(part["pairs"] for part in classes)
        parts.append({**described(workload, offsets), "pairs": pairs, "phases": phases, "classes": classes})
    return parts


def measure_scaling(arguments: argparse.Namespace) -> dict[str, Any]:
    """Seconds over increments; one core and several repetitions where that doesn't take long."""
    longest = arguments.tokens or max(SCALING_TOKENS)
    workload, offsets, ids = made(min(longest, MADE_TOKENS), STANDARD)
    points = []
    for n_tokens in [n for n in SCALING_TOKENS if n <= longest] or [longest]:
        part, part_ids = repeated(offsets, ids, n_tokens)
        short = n_tokens <= MADE_TOKENS
        tools = {
            str(arguments.threads): ours(part, part_ids, workload, arguments.threads, prune=False),
            f"{arguments.threads}, pruned": ours(part, part_ids, workload, arguments.threads, prune=True),
        }
        if short:
            tools |= {"1": ours(part, part_ids, workload, 1, prune=False)}
        points.append({**described(workload, part), "seconds": take_turns(tools, 3 if short else 1)[0]})
    return {"points": points, "made_tokens": MADE_TOKENS}


def repeated(offsets: Array, ids: Array, n_tokens: int) -> tuple[Array, Array]:
    """The first ``n_tokens`` of the tokens repeated without end."""
    lengths = np.resize(np.diff(offsets), n_tokens)
    ends = np.concatenate([[0], np.cumsum(lengths)])
    return ends, np.resize(ids, ends[-1])


def measure_memory(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """The largest memory of the job that counts one stored shard."""
    n_tokens = arguments.tokens or LONG_TOKENS
    return [measure_job(workload.n_latents, n_tokens, threads=arguments.threads) for workload in (STANDARD, WIDE)]


@lru_cache(maxsize=4)
def made(n_tokens: int, workload: Workload) -> tuple[Workload, Array, Array]:
    """A workload and its tokens, kept for the sections that use the same ones."""
    return (workload, *generate_csr(workload, n_tokens))


def ours(offsets: Array, ids: Array, workload: Workload, threads: int, *, prune: bool) -> Callable[[], PairCounts]:
    """The product's kernel, compiled."""
    warm_up(threads)
    return lambda: count_pairs(offsets, ids, n_latents=workload.n_latents, floor=FLOOR, threads=threads, prune=prune)


@cache
def warm_up(threads: int) -> None:
    """Compile, for both types of ids and of counters."""
    for n_latents in (65_536, 65_537):
        offsets, ids = generate_csr(Workload(n_latents=n_latents, mean_l0=20), 2_000)
        count_pairs(offsets, ids, n_latents=n_latents, floor=FLOOR, threads=threads)
    raise_counters(np.zeros(1, np.uint16), np.zeros(1, np.int32))


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
