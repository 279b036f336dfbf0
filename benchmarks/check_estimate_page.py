"""The part of docs/benchmarks.md on the estimate of a run."""

from __future__ import annotations

from typing import Any

BAR = 0.3
SHORT = 1.0


def page(results: dict[str, Any]) -> str:
    """The text, of the sections that are there."""
    parts = [INTRODUCTION]
    if "agreement" in results:
        found = results["agreement"]
        parts += [
            runs_text(found),
            totals_table(found),
            verdict(found),
            "### Stage by stage",
            STAGES,
            stage_table(found),
        ]
    return "\n\n".join(parts)


INTRODUCTION = """## What a run will take, before it runs

`benchmarks/check_estimate.py`: synthetic activations are imported and run through the workflow, from import to report,
at three sizes. Rates are made from the records of the two smaller runs (`coactivation-manifolds estimate --calibrate`)
and predict the third, which they have not seen."""

STAGES = """Seconds are of all jobs of a stage, Snakemake's own time left out. Stages of less than a second of work
are left out."""

TOTALS = {
    "elapsed": ("from the first job's start to the last one's end", "s"),
    "job_seconds": ("seconds of all jobs", "s"),
    "disk": ("bytes of all files", "MB"),
    "memory": ("largest memory of a job", "MB"),
    "increments": ("increments of the counting", "million"),
    "candidates": ("candidate pairs", "thousand"),
    "edges": ("edges", "thousand"),
    "clusters drawn": ("clusters drawn", ""),
}
UNITS = {"s": 1.0, "MB": 1e6, "million": 1e6, "thousand": 1e3, "": 1.0}
HELD_TO_THE_BAR = ("elapsed", "job_seconds", "disk", "memory", "increments")


def runs_text(found: dict[str, Any]) -> str:
    """What was run."""
    small = " and ".join(f"{tokens:,}" for tokens in found["calibrated_on"])
    return (
        f"{found['latents']:,} latents in shards of {found['shard_tokens']:,} tokens: calibrated on {small} tokens, "
        f"predicted {found['predicted']:,}."
    )


def totals_table(found: dict[str, Any]) -> str:
    """Predicted and measured."""
    rows = ["| | predicted | measured | ratio |", "|---|---|---|---|"]
    for key, (words, unit) in TOTALS.items():
        predicted, measured = (value / UNITS[unit] for value in found[key])
        shown = " ".join(filter(None, (words, f"({unit})" if unit and unit != "s" else "")))
        rows.append(f"| {shown} | {predicted:,.1f} | {measured:,.1f} | {share(predicted, measured)} |")
    return "\n".join(rows)


def verdict(found: dict[str, Any]) -> str:
    """Whether the bar of 30 % is met, in a sentence."""
    off = {key: abs(found[key][0] / found[key][1] - 1) for key in HELD_TO_THE_BAR if found[key][1]}
    missed = [f"{TOTALS[key][0]} ({100 * value:.0f} %)" for key, value in off.items() if value > BAR]
    if missed:
        return f"The bar of {100 * BAR:.0f} % is missed by: {', '.join(missed)}."
    worst = max(off, key=lambda key: off[key])
    return (
        f"The bar of {100 * BAR:.0f} % is met; the largest difference is {100 * off[worst]:.0f} % ({TOTALS[worst][0]})."
    )


def stage_table(found: dict[str, Any]) -> str:
    """Seconds, memory and bytes of each stage."""
    rows = [
        "| stage | jobs | seconds predicted | measured | ratio | memory ratio | disk ratio |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, stage in found["stages"].items():
        if max(stage["seconds"]) < SHORT:
            continue
        predicted, measured = stage["seconds"]
        rows.append(
            f"| {name} | {stage['jobs']} | {predicted:.1f} | {measured:.1f} | {share(predicted, measured)} | "
            f"{share(*stage['memory'])} | {share(*stage['disk'])} |"
        )
    return "\n".join(rows)


def share(predicted: float, measured: float) -> str:
    """Predicted over measured; nothing where nothing was measured."""
    return f"{predicted / measured:.2f}" if measured else ""
