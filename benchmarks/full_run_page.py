"""The part of docs/benchmarks.md on a whole run at full size."""

from __future__ import annotations

from typing import Any

from measuring import verdict

MOST_MINUTES, MOST_GIB = 30, 4

INTRODUCTION = """## A whole run

`make bench-full` (`benchmarks/full_run.py`): synthetic activations in Parquet files are imported, and the workflow runs
from there to the sweep of clusterings of config.yaml's defaults and the figures of all clusters of one of them. Seconds
and memory are those that the jobs record of themselves; jobs run side by side, so the seconds add up to more than the
whole. Making the activations is not counted."""


def page(results: dict[str, Any]) -> str:
    """Sizes, whole times, and a row for each stage."""
    run = results["workflow"]
    seconds = run["seconds"]
    gib = max(stage["mib"] for stage in run["stages"].values()) / 1024
    minutes = seconds["index to figures"] / 60
    disk = ", ".join(f"{name} {size / 1e9:.2f}" for name, size in run["bytes"].items() if size >= 5e6)
    return "\n\n".join(
        [
            INTRODUCTION,
            f"{run['n_tokens']:,} tokens in {run['shards']} shards, {run['n_entries']:,} entries, "
            f"{run['increments']:.3g} increments; {run['edges']:,} edges, {run['clusters']:,} clusters of which "
            f"{run['drawn']:,} were drawn. On disk, in GB: {disk}.",
            f"Import: {seconds['import'] / 60:.1f} minutes. From stored activations to the figures: {minutes:.1f} "
            f"minutes (at most {MOST_MINUTES}: {verdict(minutes <= MOST_MINUTES)}). Largest memory of a job: {gib:.2f} "
            f"GiB (at most {MOST_GIB}: {verdict(gib <= MOST_GIB)}).",
            stages_table(run["stages"]),
        ]
    )


def stages_table(stages: dict[str, dict[str, float]]) -> str:
    """One row for each rule, the longest first."""
    lines = ["| rule | jobs | seconds together | processor seconds | largest memory |", "|---|---|---|---|---|"]
    for name, stage in sorted(stages.items(), key=lambda item: -item[1]["seconds"]):
        numbers = f"{stage['jobs']:.0f} | {stage['seconds']:,.1f} | {stage['cpu_seconds']:,.1f}"
        lines.append(f"| {name} | {numbers} | {stage['mib'] / 1024:.2f} GiB |")
    return "\n".join(lines)
