"""Planted truth: are the clusters, shapes, p-values and controls right? Numbers for docs/validation.md.

    .venv/bin/python benchmarks/science.py                              all sections, up to an hour on two cores
    .venv/bin/python benchmarks/science.py --seed 20291 --only planted shift
    .venv/bin/python benchmarks/edge_significance.py                    the null of edges, a benchmark of its own
    .venv/bin/python benchmarks/science_page.py                         writes docs/validation.md from the last numbers

Each section is written to docs/benchmarks/science.json when it is done, so that a run can go on with the others. What
was tuned was tuned on seeds below 1,000. One process for each world, or a few clusters, --threads at once. Every
planted group and cluster, for a look at what went wrong, is left in results/bench_science/planted_rows.json.
"""

from __future__ import annotations

import json
import multiprocessing
import sys
import time
from argparse import Namespace
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from measuring import in_processes, memory_of_all_kib, parser_of, run_sections
from planted_codes import Group
from planted_geometry import WorldPlan, draw_group, make_world, plan_world
from planted_lab import call_drawn, limit_jobs, lone_cluster, power_jobs, summarize_power
from planted_results import recover_world, run_world
from science_chain import find_clusters, is_tested, points_of
from science_measures import summarize
from shape_calls import Cluster, call_family, seed_of
from trained_codes import run_trained

from coactivation_manifolds.activations.circular_shift import draw_shifts
from coactivation_manifolds.geometry.pca import one_blas_thread

SECTIONS = ("planted", "clusterings", "shift", "power", "limits", "trained", "cost")
DEFAULT_SEED = 20_291
CLUSTERINGS = (
    *(f"components_j{threshold}" for threshold in ("0.10", "0.15", "0.20", "0.25", "0.30")),
    *(f"leiden_cpm_phi_j0.05_r{resolution}_s0" for resolution in ("0.020", "0.050", "0.100")),
    "leiden_modularity_phi_j0.05_r1.000_s0",
)
ROWS = Path("results/bench_science/planted_rows.json")


def main() -> int:
    """Measure the sections asked for."""
    parser = parser_of(__doc__, SECTIONS)
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED)
    parser.add_argument("--worlds", type=int, default=24)
    parser.add_argument("--shift-runs", type=int, default=20)
    parser.add_argument("--power-repeats", type=int, default=8)
    parser.add_argument("--limit-repeats", type=int, default=8)
    parser.add_argument("--cost-clusters", type=int, default=1_000)
    parser.add_argument("--train-steps", type=int, default=None, help="of the trained codes (default: as configured)")
    arguments = parser.parse_args()
    if arguments.seed < 1_000:
        print(f"seed {arguments.seed} is one of those that were used to tune: its numbers say little")
    run_sections(
        "science",
        arguments,
        {
            "planted": measure_planted,
            "clusterings": measure_clusterings,
            "shift": measure_shift,
            "power": measure_power,
            "limits": measure_limits,
            "trained": measure_trained,
            "cost": measure_cost_apart,
        },
    )
    return 0


def measure_planted(arguments: Namespace) -> dict[str, Any]:
    """Recovery, calls, calibration, ROC and cosine over all worlds."""
    plans = [plan_world(number, seed=arguments.seed) for number in range(arguments.worlds)]
    worlds = in_processes(run_world, plans, arguments.threads, what="planted, worlds")
    rows = [row for world in worlds for row in world]
    ROWS.parent.mkdir(parents=True, exist_ok=True)
    ROWS.write_text(json.dumps(rows, default=str) + "\n", encoding="utf-8")
    return {"seed": arguments.seed, "worlds": arguments.worlds, **summarize(rows)}


def measure_clusterings(arguments: Namespace) -> dict[str, Any]:
    """Groups recovered by several clusterings of the same worlds, moderate and harder ones: counts and their totals."""
    plans = [plan_world(number, seed=arguments.seed) for number in range(arguments.worlds)]
    recover = partial(recover_world, clusterings=CLUSTERINGS)
    worlds = in_processes(recover, plans, arguments.threads, what="clusterings, worlds")
    found: dict[str, dict[str, list[int]]] = {name: {} for name in CLUSTERINGS}
    for row in (row for world in worlds for row in world):
        counts = found[row["clustering"]].setdefault(row["what"], [0, 0])
        counts[0] += row["recovered"]
        counts[1] += 1
    return {"seed": arguments.seed, "recovered": found}


def measure_shift(arguments: Namespace) -> dict[str, Any]:
    """Worlds whose latents were shifted along the corpus: edges, clusters and calls that are left."""
    plans = [plan_world(number, seed=arguments.seed + 1) for number in range(arguments.shift_runs)]
    runs = in_processes(shift_world, plans, arguments.threads, what="shift, runs")
    return {
        "seed": arguments.seed + 1,
        "runs": runs,
        "share_of_edges": sum(run["edges_shifted"] for run in runs) / max(1, sum(run["edges"] for run in runs)),
        "worst": max(run["edges_shifted"] / max(1, run["edges"]) for run in runs),
    }


def shift_world(plan: WorldPlan) -> dict[str, int]:
    """One world and one shift of it."""
    with one_blas_thread():
        world = make_world(plan)
    real = find_clusters(world.activations, world.decoder)
    shifts = draw_shifts(world.activations.shape[1], len(world.activations), seed=plan.number)
    moved = np.stack([np.roll(column, by) for column, by in zip(world.activations.T, shifts, strict=True)], axis=1)
    found = find_clusters(moved, world.decoder)
    tested = [members.astype(np.int64) for members in found.clusters if is_tested(moved, members.astype(np.int64))]
    calls = call_family(
        [Cluster(points_of(moved, own), world.decoder[own], seed_of(own, seed=plan.seed)) for own in tested]
    )
    return {
        "edges": real.n_significant,
        "clusters": len(real.clusters),
        "edges_shifted": found.n_significant,
        "clusters_shifted": len(found.clusters),
        "tested_shifted": len(tested),
        "calls_shifted": sum(call.shape is not None for call in calls),
    }


def measure_power(arguments: Namespace) -> dict[str, Any]:
    """Share of right calls of a lone shape, over points and noise."""
    jobs = power_jobs(arguments.seed, arguments.power_repeats)
    calls = in_processes(_call_one, jobs, arguments.threads, what="power, shapes")
    return {"seed": arguments.seed, "repeats": arguments.power_repeats, "shapes": summarize_power(jobs, calls)}


def measure_limits(arguments: Namespace) -> dict[str, Any]:
    """Calls of lone rings while one thing is varied: overlap, angle, tiles, noise."""
    jobs = limit_jobs(arguments.seed, arguments.limit_repeats)
    calls = in_processes(_call_one, [job for _, _, job in jobs], arguments.threads, what="limits, rings")
    found: dict[str, dict[str, dict[str, int]]] = {}
    for (what, value, _), call in zip(jobs, calls, strict=True):
        counts = found.setdefault(what, {}).setdefault(value, {})
        counts[call or "none"] = counts.get(call or "none", 0) + 1
    return {"seed": arguments.seed, "repeats": arguments.limit_repeats, "calls": found}


def measure_trained(arguments: Namespace) -> dict[str, Any]:
    """The same vectors through SAEs that sae-lens trained on them."""
    train = partial(run_trained, seed=arguments.seed, steps=arguments.train_steps)
    runs = in_processes(train, ("topk", "batchtopk"), arguments.threads, what="trained, codes")
    return {"seed": arguments.seed, "runs": runs}


def measure_cost_apart(arguments: Namespace) -> dict[str, Any]:
    """``measure_cost`` in a process of its own: memory is what this takes, and not the sections before."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(measure_cost, arguments).result()


def measure_cost(arguments: Namespace) -> dict[str, Any]:
    """Seconds and memory of testing many clusters of ten latents and 300 to 20,000 points, a fifth of them shapes."""
    rng = np.random.default_rng([arguments.seed, 4])
    kinds = ("circle", "simplex", "blob", "mixture", "blob", "blob", "mixture", "blob", "mixture", "blob")
    groups = [
        draw_group(
            kinds[place % len(kinds)],
            "moderate",
            rng,
            k=10,
            n_vertices=5 if kinds[place % len(kinds)] == "simplex" else 0,
            rows="orthogonal",
            n_points=int(np.exp(rng.uniform(np.log(300), np.log(20_000)))),
        )
        for place in range(arguments.cost_clusters)
    ]
    jobs = [(group, arguments.seed + place) for place, group in enumerate(groups)]
    clusters = in_processes(_make_one, jobs, arguments.threads, what="cost, clusters made")
    before = memory_of_all_kib(arguments.threads)
    begin = time.perf_counter()
    calls = call_family(clusters, threads=arguments.threads)
    seconds = time.perf_counter() - begin
    return {
        "seed": arguments.seed,
        "clusters": len(clusters),
        "seconds": round(seconds, 1),
        "points": int(sum(len(cluster.points) for cluster in clusters)),
        "draws": sum(call.outcome.n_draws for call in calls),
        "calls": sum(call.shape is not None for call in calls),
        "maxrss_before_kib": before,
        "maxrss_kib": memory_of_all_kib(arguments.threads),
        "growth": {f"{k} latents, {n} points": seconds_each(k, n, arguments.seed) for k, n in GROWTH},
    }


GROWTH = ((5, 1_000), (10, 300), (10, 1_000), (10, 20_000), (20, 1_000), (40, 1_000))


def seconds_each(k: int, n: int, seed: int, *, clusters: int = 4) -> float:
    """Processor seconds of the first stage of one blob of k latents and n points."""
    rng = np.random.default_rng([seed, k, n])
    groups = [
        draw_group("blob", "moderate", rng, k=k, n_points=n, rows="orthogonal", variety="gated blob")
        for _ in range(clusters)
    ]
    subjects = [lone_cluster(group, seed=place) for place, group in enumerate(groups)]
    begin = time.process_time()
    call_family(subjects)
    return round((time.process_time() - begin) / clusters, 3)


def _make_one(job: tuple[Group, int]) -> Cluster:
    return lone_cluster(job[0], seed=job[1])


def _call_one(job: tuple[str, int, dict[str, Any]]) -> str | None:
    return call_drawn(*job)


if __name__ == "__main__":
    sys.exit(main())
