"""The part of docs/benchmarks.md on the figures of clusters."""

from __future__ import annotations

from statistics import median
from typing import Any

from measuring import ratio, shown

BATCH_BAR = 0.35
"""Processor seconds of the whole batch for each pca.png."""
JOB_BAR = 5.0
"""Seconds of the job of one cluster."""


def page(results: dict[str, Any]) -> str:
    """The text, of the sections that are there."""
    parts = [INTRODUCTION]
    if "batch" in results:
        parts += ["### All clusters as a batch", batch_text(results["batch"]), batch_table(results["batch"])]
    if "axes" in results:
        parts += ["### Against figures made with axes", axes_text(results["axes"])]
    if "job" in results:
        parts += ["### The job of one cluster", job_text(results["job"]), job_table(results["job"])]
    if "profile" in results:
        parts += ["### Where the time goes", profile_table(results["profile"])]
    return "\n\n".join(parts)


INTRODUCTION = """## Figures of clusters

`benchmarks/draw_figures.py`: what `draw_atlas` takes for each cluster of a clustering (slice of the index, principal
components, `pca.npz`, `cluster.html`, `thumbnail.png`, `pca.png`), and what the job of a single cluster takes (the same
without thumbnail, with the figure in a second basis and `points.parquet`). Each cluster is a ring of tiles; the index
also holds the postings of all other latents. It was just written, and so lies in the page cache."""


def batch_text(part: dict[str, Any]) -> str:
    """What was drawn, and whether the bar is met."""
    seconds = median(part["seconds_per_figure"])
    verdict = "met" if seconds <= BATCH_BAR else "not met"
    memory = f"{part['maxrss_kib'] / 2**20:.2f} GiB ({part['maxrss_before_kib'] / 2**20:.2f} GiB after the imports)"
    return (
        f"{described(part)} One process draws them all. Processor seconds of the whole batch for each `pca.png`, "
        f"imports excluded: {shown(part['seconds_per_figure'])}; the bar is {BATCH_BAR}: {verdict}. A `pca.png` has "
        f"{part['png_bytes'] / 1000:,.0f} kB on average. Largest memory: {memory}."
    )


def batch_table(part: dict[str, Any]) -> str:
    """Processor seconds of each stage."""
    whole = median(part["seconds_per_figure"])
    lines = ["| stage | processor seconds a figure | share |", "|---|---|---|"]
    for stage, seconds in part["stages"].items():
        name = "page of all, names, summary" if stage == "rest" else stage
        lines.append(f"| {name} | {shown(seconds)} | {median(seconds) / whole:.0%} |")
    return "\n".join(lines)


def axes_text(part: dict[str, Any]) -> str:
    """How much faster than axes."""
    ours, axes = (part["seconds"][name] for name in ("ours", "matplotlib's axes"))
    each = [[value / part["figures"] for value in seconds] for seconds in (ours, axes)]
    return (
        f"The same panels and legends made with matplotlib's axes and artists, a new figure for each cluster, without "
        f"the list of members and the bars, take {shown(each[1])} s a `pca.png`, ours {shown(each[0])} s: "
        f"{ratio(axes, ours):.1f} times as long. Axes are slow because each panel makes and lays out some hundred "
        f"artists (ticks, grid lines, labels) before anything is drawn; ours knows every place beforehand, renders "
        f"each string once, and leaves to Agg only the points."
    )


def job_text(part: dict[str, Any]) -> str:
    """Whether the bars are met."""
    seconds, share = median(part["seconds"]), import_share(part)
    verdict = "met" if seconds <= JOB_BAR else "not met"
    larger = "are the larger part" if share > 0.5 else "are not the larger part"
    return (
        f"A cluster of {part['cluster_size']} latents and {part['cluster_points']:,} points, from an index of "
        f"{part['n_entries']:.3g} postings, in a new process: {shown(part['seconds'])} s from its start to its end; "
        f"the bar is {JOB_BAR:g} s: {verdict}. The process's start and the imports {larger}: {share:.0%}. "
        f"Of the imports, pandas is pyarrow's doing: it looks for it when it makes its first array. "
        f"Snakemake's own start is not counted. Largest memory: {part['maxrss_kib'] / 2**20:.2f} GiB."
    )


def import_share(part: dict[str, Any]) -> float:
    """Share of the job's seconds that are not its own work: the interpreter's start and end, and the imports."""
    shares = [1 - rest / seconds for rest, seconds in zip(part["rest"], part["seconds"], strict=True)]
    return float(median(shares))


def job_table(part: dict[str, Any]) -> str:
    """Seconds of the parts of the job."""
    lines = ["| part | seconds |", "|---|---|"]
    for name, title in (("imports", "imports"), ("rest", "the rest")):
        lines.append(f"| {title} (wall clock) | {shown(part[name])} |")
        lines.append(f"| {title} (processor) | {shown(part['processor'][name])} |")
    lines += [f"| of it {stage} (processor) | {shown(seconds)} |" for stage, seconds in part["stages"].items()]
    return "\n".join(lines)


def profile_table(part: dict[str, Any]) -> str:
    """The functions that take most."""
    lines = [
        f"Under cProfile, which makes Python's own code slower than it is: {part['total']:.2f} s a figure.",
        "",
        "| function | calls a figure | own seconds a figure |",
        "|---|---|---|",
    ]
    for entry in part["top"]:
        lines.append(f"| `{entry['function']}` | {entry['calls']:,.0f} | {entry['seconds']:.4f} |")
    return "\n".join(lines)


def described(part: dict[str, Any]) -> str:
    """What is drawn."""
    return (
        f"{part['clusters']} clusters of {part['sizes'][0]} to {part['sizes'][1]} latents and {part['points'][0]:,} to "
        f"{part['points'][1]:,} points (at most 3,000 of them drawn), from an index of {part['n_tokens']:,} tokens and "
        f"{part['n_entries']:.3g} postings."
    )
