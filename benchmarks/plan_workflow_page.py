"""The part of docs/benchmarks.md on planning a run of many shards."""

from __future__ import annotations

from statistics import median
from typing import Any

from measuring import ratio, shown

BAR_SHARDS, BAR_SECONDS = 2_000, 15


def page(results: dict[str, Any]) -> str:
    """The text of the sections that are there."""
    parts = [INTRODUCTION]
    points = [*results.get("sizes", {}).get("points", []), *([results["large"]] if "large" in results else [])]
    if points:
        parts += ["### Nothing made yet", sizes_table(points), *bar_text(points), *growth_text(points)]
    if "states" in results:
        parts += ["### Other states of a run", STATES, states_table(results["states"])]
    if "parse" in results:
        parts += ["### Start of a job", parse_text(results["parse"])]
    return "\n\n".join(parts)


INTRODUCTION = """## Planning

`benchmarks/plan_workflow.py`: seconds of `snakemake -n` for an experiment's edges, its start included. Beside it stands
a bare Snakefile of the same jobs: three rules a shard and two joins, shell commands, one output each, and no params,
resources, logs, scripts or checks. The jobs of each plan are counted and must be those expected."""

STATES = """Each planned once. Files that are there are empty ones, with times in the order of a run, and without the
records that Snakemake keeps of its runs. With one shard more, its harvest and count are planned, and the second pass of
all shards; finished shards are left alone."""


def sizes_table(points: list[dict[str, Any]]) -> str:
    """One row for each number of shards."""
    lines = ["| shards | jobs | ours, s | bare, s | ours / bare |", "|---|---|---|---|---|"]
    for point in points:
        ours, bare = point["seconds"]["ours"], point["seconds"]["bare"]
        cells = (f"{point['shards']:,}", f"{point['jobs']['ours']:,}", shown(ours), shown(bare))
        lines.append(f"| {' | '.join(cells)} | {ratio(ours, bare):.1f} |")
    return "\n".join(lines)


def bar_text(points: list[dict[str, Any]]) -> list[str]:
    """Whether 2,000 shards are planned in time."""
    seconds = [median(point["seconds"]["ours"]) for point in points if point["shards"] == BAR_SHARDS]
    if not seconds:
        return []
    met = "met" if seconds[0] <= BAR_SECONDS else "not met"
    return [f"The bar of {BAR_SECONDS} s with {BAR_SHARDS:,} shards is {met}: {seconds[0]:.1f} s."]


def growth_text(points: list[dict[str, Any]]) -> list[str]:
    """How time grows, and what to do with more shards."""
    if len(points) < 2:
        return []
    one, other = points[-2:]
    times = {name: ratio(other["seconds"][name], one["seconds"][name]) for name in ("ours", "bare")}
    return [
        f"From {one['shards']:,} to {other['shards']:,} shards, {other['shards'] / one['shards']:.3g} times as many, "
        f"ours takes {times['ours']:.1f} times as long and the bare Snakefile {times['bare']:.1f} times. " + WHY
    ]


WHY = """Under a profiler, functions of our rules are less than a twentieth of the time; the rest is Snakemake's: it
prints each job with its resources, reads the source of each job's script, and inspects the signature of every
function. Tried: what does not depend on a shard is worked out once an experiment, signatures are kept at hand, and a
shard costs one look at the disk; that took some tenth off. Part of it grows with the square: for each of the shards
that need `candidates.parquet`, Snakemake looks for that file among the inputs of the job that makes it, which are
all shards' counts. Tried and left: only the counts among those inputs, without the firings that the same jobs write
(some 1.7 of 17 processor seconds with 2,000 shards, but a job names what it reads). Without effect with 600 shards:
numbers in place of functions for memory and minutes, no `conda`, no `benchmark`, `--quiet`. What helps is larger shards
(`harvest.tokens_per_shard`, `activations.shards`): fewer jobs, each of which also starts Snakemake once."""


def states_table(part: dict[str, Any]) -> str:
    """One row for each state."""
    lines = [f"| {part['shards']:,} shards | jobs planned | seconds |", "|---|---|---|"]
    for name, seconds in part["seconds"].items():
        lines.append(f"| {name} | {part['jobs'][name]:,} | {shown(seconds)} |")
    return "\n".join(lines)


def parse_text(part: dict[str, Any]) -> str:
    """What a job spends before its script starts."""
    seconds = part["seconds"]
    own = median(seconds["rules listed, ours"]) - median(seconds["rules listed, bare"])
    lines = ["| | ours, s | bare, s |", "|---|---|---|"]
    for title, name in (("rules listed", "rules listed"), ("the jobs of one shard planned", "one shard")):
        lines.append(f"| {title} | {shown(seconds[f'{name}, ours'])} | {shown(seconds[f'{name}, bare'])} |")
    text = (
        f"Each job reads the rules again ({part['shards']:,} shards here). Snakemake's own start is the larger part: "
        f"our rules and the check of the experiment add {own:.2f} s to the list of rules."
    )
    return "\n".join([text, "", *lines])
