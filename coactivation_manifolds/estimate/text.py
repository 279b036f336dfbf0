"""An estimate as a person reads it: a table of the stages, and what dominates; and as JSON."""

from __future__ import annotations

from dataclasses import asdict
from math import inf
from typing import Any

from coactivation_manifolds.estimate.prediction import Estimate, StageEstimate, critical_path

COLUMNS = ("stage", "jobs", "one job", "core hours", "GPU hours", "memory of a job", "disk", "ends after")
LONG_JOB = 4 * 3600
ASKED_FOR = 4e9
"""Bytes that the rules ask for at least, on a first attempt; a harvest asks for more."""
ASKED_FOR_HARVEST = 16e9


def estimate_lines(estimate: Estimate) -> list[str]:
    """Sizes, table, totals, and plain sentences."""
    sizes, stages = estimate.sizes, estimate.stages
    rows = [
        (
            ("~" if found.assumed else "") + found.stage.name,
            f"{found.stage.n_jobs:,}",
            duration(found.seconds),
            f"{found.core_seconds / 3600:,.2f}",
            f"{found.gpu_seconds / 3600:,.2f}" if found.gpu_seconds else "",
            bytes_text(found.memory),
            bytes_text(found.disk) if found.disk else "",
            duration(found.ends),
        )
        for found in stages
    ]
    total = (
        "all",
        f"{sum(found.stage.n_jobs for found in stages):,}",
        "",
        f"{sum(found.core_seconds for found in stages) / 3600:,.2f}",
        f"{sum(found.gpu_seconds for found in stages) / 3600:,.2f}",
        bytes_text(max(found.memory for found in stages)),
        bytes_text(sum(found.disk for found in stages)),
        duration(estimate.elapsed),
    )
    lines = [
        f"{sizes.n_tokens:,.0f} tokens in {sizes.n_shards:,} shards, {sizes.n_latents:,} latents, "
        f"{sizes.mean_l0:.1f} on a mean token: {short(sizes.entries)} entries, {short(sizes.increments)} increments",
        f"expected pairs: {short(sizes.shard_pairs)} kept in a shard, {short(sizes.candidates)} candidates, "
        f"{short(sizes.edges)} edges; about {sizes.drawn:,.0f} clusters to draw",
        "",
        *table_lines([COLUMNS, *rows, total]),
        "",
        f"with {machines_text(estimate)}: {duration(estimate.elapsed)} from start to end",
        *advice(estimate),
    ]
    assumed = [found.stage.name for found in stages if found.assumed]
    if assumed:
        lines.append(f"assumed, not measured (marked ~): the rates of {', '.join(assumed)}")
    return [*lines, *(f"assumed: {note}" for note in estimate.assumptions)]


def advice(estimate: Estimate) -> list[str]:
    """What takes longest, and what to ask for."""
    longest, waited = max(critical_path(estimate), key=lambda part: part[1])
    found = [f"{longest.stage.name} dominates: {duration(waited)} of it{why(longest)}"]
    for stage in estimate.stages:
        if stage.memory > (ASKED_FOR_HARVEST if stage.stage.rule == "harvest_shard" else ASKED_FOR):
            found.append(
                f"a job of {stage.stage.name} needs {bytes_text(stage.memory)} of memory: see mem_mb of its rule"
            )
    per_shard = [stage for stage in estimate.stages if stage.stage.per_shard]
    slow = max(per_shard, key=lambda stage: stage.seconds)
    if slow.seconds > LONG_JOB:
        found.append(f"one job of {slow.stage.name} takes {duration(slow.seconds)}: make shards smaller")
    sizes = estimate.sizes
    if sizes.n_shards > 1 and sizes.shard_pairs > 2 * sizes.edges + sizes.n_latents:
        found.append(
            f"{short(sizes.shard_pairs)} pairs kept in a shard for {short(sizes.edges)} edges: many reach the floor "
            "there by chance; larger shards keep fewer"
        )
    return found


def why(found: StageEstimate) -> str:
    """Whether more machines would help."""
    return (
        ", one job, which more machines do not shorten" if found.stage.n_jobs == 1 else f", {found.stage.n_jobs:,} jobs"
    )


def machines_text(estimate: Estimate) -> str:
    """What runs the jobs."""
    machines = estimate.machines
    parts = [(machines.cores, "cores"), (machines.gpus, "GPUs"), (machines.jobs, "jobs at once")]
    return ", ".join(f"{number:,.0f} {what}" for number, what in parts if number != inf) or "machines without end"


def table_lines(rows: list[tuple[str, ...]]) -> list[str]:
    """Columns in line: the first to the left, the others to the right; a rule under the heads and above the totals."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]

    def line(row: tuple[str, ...]) -> str:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        return "  ".join(cells).rstrip()

    rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
    return [line(rows[0]), rule, *(line(row) for row in rows[1:-1]), rule, line(rows[-1])]


def duration(seconds: float) -> str:
    """Seconds, minutes, hours or days."""
    if seconds < 100:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    if seconds < 6_000:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:,.1f} h" if seconds < 360_000 else f"{seconds / 86_400:,.1f} d"


def bytes_text(n_bytes: float) -> str:
    """A size that a person can read."""
    for unit in ("B", "kB", "MB", "GB"):
        if n_bytes < 1000:
            return f"{n_bytes:.0f} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:,.1f} TB"


def short(count: float) -> str:
    """A count, beyond a million with three digits."""
    return f"{count:,.0f}" if count < 1e6 else f"{count:.3g}".replace("e+", "e").replace("e0", "e")


def estimate_json(estimate: Estimate) -> dict[str, Any]:
    """All numbers, in seconds and bytes."""
    machines = {name: number for name, number in asdict(estimate.machines).items() if number != inf}
    return {
        "sizes": asdict(estimate.sizes) | {"entries": estimate.sizes.entries, "increments": estimate.sizes.increments},
        "machines": machines,
        "elapsed_seconds": estimate.elapsed,
        "assumptions": estimate.assumptions,
        "stages": {
            found.stage.name: {
                "jobs": found.stage.n_jobs,
                "seconds_a_job": found.seconds,
                "core_seconds": found.core_seconds,
                "gpu_seconds": found.gpu_seconds,
                "memory_bytes": found.memory,
                "disk_bytes": found.disk,
                "ends_after_seconds": found.ends,
                "assumed": found.assumed,
            }
            for found in estimate.stages
        },
    }
