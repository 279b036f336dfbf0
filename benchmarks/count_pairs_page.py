"""The part of docs/benchmarks.md on counting pairs, and its two figures."""

from __future__ import annotations

from pathlib import Path
from statistics import median
from typing import Any

from count_pairs_bars import bars_table, checked_text, fits_text
from matplotlib.ticker import FuncFormatter
from measuring import ratio, shown
from phases_of_count_page import phases_text

from coactivation_manifolds.figures.style import (
    GREY,
    INK,
    MARKERS,
    MUTED,
    PALETTE,
    figure_style,
    new_figure,
    save_figure,
)

IMAGES = Path("docs/images")
PLAIN = FuncFormatter(lambda value, _: f"{value:g}")
COUNTS = FuncFormatter(lambda value, _: f"{value / 1e6:,.0f} million")
SCALING_FIGURE, TOOLS_FIGURE = "benchmark_scaling.png", "benchmark_tools.png"


def page(results: dict[str, Any]) -> str:
    """Draw the figures and give the text, of the sections that are there."""
    parts = [INTRODUCTION, "### What must be reached", bars_table(results)]
    if "scipy" in results or "graphblas" in results:
        draw_tools(results, IMAGES / TOOLS_FIGURE)
        parts += ["### Against products of sparse matrices", PRODUCTS, products_table(results)]
        parts.append(f"![Seconds of each tool](images/{TOOLS_FIGURE})")
    if "small" in results:
        parts += ["### Against a dictionary and self-joins", small_table(results["small"])]
    if "ceiling" in results:
        parts += ["### Against the machine's ceiling", CEILING, ceiling_table(results["ceiling"])]
        parts.append(checked_text(results["ceiling"]))
    if "wide" in results:
        parts += [ceiling_table(results["wide"]), checked_text(results["wide"])]
    if "phases" in results:
        parts += ["### Where the time goes", phases_text(results["phases"], ceilings_of_one_core(results))]
    if "scaling" in results:
        draw_scaling(results, IMAGES / SCALING_FIGURE)
        parts += ["### Scaling", SCALING.format(made=results["scaling"]["made_tokens"])]
        parts += [scaling_table(results["scaling"]["points"]), fits_text(results["scaling"]["points"])]
        parts.append(f"![Seconds over increments](images/{SCALING_FIGURE})")
    if "memory" in results:
        parts += ["### Memory", MEMORY, memory_table(results["memory"])]
    return "\n\n".join(parts)


INTRODUCTION = """## Counting pairs

`benchmarks/count_pairs.py`: how long `count_pairs` takes for one shard, from token-major arrays in memory to the sorted
arrays of pairs whose Jaccard is at least 0.02, with every joint firing counted ("ours") and without increments that
can't reach that floor ("pruned", what the workflow runs). Compilation is left out: machine code is kept between jobs.
An increment is one pair of latents on one token. Pairs and counts are compared with those of SciPy, of the dictionary
and of the self-joins, and must be equal."""

PRODUCTS = """SciPy and GraphBLAS only make the product, with the matrix in their own format before, and apply no floor;
SciPy's product runs on one core."""

CEILING = """The ceiling is a loop that reads a stored stream of random uint16 places and raises int32 counters that
stay in L2, on as many threads: what a count by single increments can't exceed. The kernel counts the most frequent
latents 64 at a time, so that it is not bound by it."""

SCALING = """Shards longer than {made:,} tokens repeat these tokens, because making ten thousand million increments
would take minutes; each copy is a different place in memory."""

MEMORY = """The largest memory of the job that counts one shard (`count_shard`, pruned, as the workflow runs it), in a
process of its own and with its children: it reads and checks the stored activations, counts, and writes its files. The
first number holds Python and its libraries."""


def products_table(results: dict[str, Any]) -> str:
    """Each product and ours, measured in turns with it."""
    lines = ["| | seconds | ours is faster by |", "|---|---|---|"]
    sizes = ""
    for section in ("scipy", "graphblas"):
        part = results.get(section, {})
        if "missing" in part:
            lines.append(f"| {', '.join(part['missing'])} | not installed | |")
        if "seconds" in part:
            sizes = sizes_text(part)
            mine = {name: times for name, times in part["seconds"].items() if name.startswith("ours")}
            for name, times in part["seconds"].items():
                faster = (
                    ""
                    if name in mine
                    else ", ".join(f"{ratio(times, own):.1f} ({label})" for label, own in mine.items())
                )
                lines.append(f"| {name} | {shown(times)} | {faster} |")
    return "\n".join([sizes, "", *lines])


def small_table(part: dict[str, Any]) -> str:
    """Tools that only fit a small size."""
    lines = [sizes_text(part), "", "| | seconds | times ours |", "|---|---|---|"]
    for name, times in part["seconds"].items():
        lines.append(f"| {name} | {shown(times)} | {ratio(times, part['seconds']['ours']):.0f} |")
    return "\n".join([*lines, *(f"| {name} | not installed | |" for name in part["missing"])])


def ceiling_table(part: dict[str, Any]) -> str:
    """Increments a second, and shares of the ceiling."""
    lines = [sizes_text(part), "", "| | seconds | increments a second | of the ceiling |", "|---|---|---|---|"]
    rates = {name: rate(part, name) for name in part["seconds"]}
    for name, times in part["seconds"].items():
        top = rates["ceiling, " + name.rsplit(", ", 1)[1]]
        lines.append(f"| {name} | {shown(times)} | {rates[name] / 1e9:.2f}e9 | {rates[name] / top:.2f} |")
    if len({name.rsplit(", ", 1)[1] for name in rates}) == 1:
        return "\n".join(lines)
    one, *_, many = sorted({name.rsplit(", ", 1)[1] for name in rates})
    gains = [
        f"{name} {rates[f'{name}, {many}'] / rates[f'{name}, {one}']:.2f}"
        for name in ("ceiling", "ours", "ours, pruned")
    ]
    return "\n".join([*lines, "", f"From {one} to {many}: {'; '.join(gains)} times as many increments a second."])


def rate(part: dict[str, Any], name: str) -> float:
    """Increments a second of one row of the ceiling's table."""
    cores = int(name.rsplit(", ", 1)[1].split()[0])
    done = part["ceiling_increments"] * cores if name.startswith("ceiling") else part["increments"]
    return float(done / median(part["seconds"][name]))


def ceilings_of_one_core(results: dict[str, Any]) -> dict[int, float]:
    """Increments a second that a core can reach, by the number of latents beside which it was measured."""
    found = {}
    for part in (results[section] for section in ("wide", "ceiling") if section in results):
        name = next(name for name in part["seconds"] if name.startswith("ceiling"))
        found[part["n_latents"]] = rate(part, name) / int(name.rsplit(", ", 1)[1].split()[0])
    return found


def scaling_table(points: list[dict[str, Any]]) -> str:
    """Seconds for each size and number of cores."""
    names = list(points[0]["seconds"])
    titles = [
        f"{name.split(',')[0]} core{'s' if name[0] != '1' else ''}{', pruned' if ',' in name else ''}" for name in names
    ]
    lines = [f"| tokens | increments | {' | '.join(titles)} |", f"|---|---|{'---|' * len(names)}"]
    for point in points:
        seconds = point["seconds"]
        times = " | ".join(f"{median(seconds[name]):.2f} s" if name in seconds else "" for name in names)
        lines.append(f"| {point['n_tokens']:,} | {point['increments']:.2e} | {times} |")
    return "\n".join(lines)


def memory_table(jobs: list[dict[str, Any]]) -> str:
    """One row for each number of latents."""
    lines = [
        "| latents | tokens | entries | pairs kept | stored activations | memory before | largest memory |",
        "|---|---|---|---|---|---|---|",
    ]
    for job in jobs:
        sizes = " | ".join(f"{job[key]:,}" for key in ("n_latents", "n_tokens", "n_entries", "pairs"))
        gib = " | ".join(f"{job[key] / 2**20:.2f} GiB" for key in ("maxrss_before_kib", "maxrss_kib"))
        lines.append(f"| {sizes} | {job['bytes'] / 1e6:.0f} MB | {gib} |")
    return "\n".join(lines)


def draw_tools(results: dict[str, Any], path: Path) -> None:
    """Bars of the median seconds, on a logarithmic scale."""
    bars = {}
    for section in ("graphblas", "scipy"):
        bars |= {name: median(times) for name, times in results.get(section, {}).get("seconds", {}).items()}
    bars = dict(sorted(bars.items(), key=lambda bar: bar[1]))
    with figure_style():
        figure, axes = new_figure(width=6.5, height=0.8 + 0.35 * len(bars))
        colours = [PALETTE[0] if name.startswith("ours") else GREY for name in bars]
        axes[0, 0].barh(list(bars), list(bars.values()), color=colours, height=0.65)
        for place, seconds in enumerate(bars.values()):
            axes[0, 0].text(seconds * 1.06, place, f"{seconds:.2f} s", va="center", color=INK)
        axes[0, 0].set(xscale="log", xlabel="seconds, median", xlim=(min(bars.values()) / 3, max(bars.values()) * 3))
        axes[0, 0].xaxis.set_major_formatter(PLAIN)
        axes[0, 0].grid(visible=False, axis="y")
        figure.tight_layout()
        save_figure(figure, path)


def draw_scaling(results: dict[str, Any], path: Path) -> None:
    """Median seconds over increments, both logarithmic, with the ceiling's line where it was measured."""
    points = results["scaling"]["points"]
    increments = [point["increments"] for point in points]
    with figure_style():
        figure, axes = new_figure(width=6.5, height=3.8)
        for k, name in enumerate(points[0]["seconds"]):
            title = f"{name.split(',')[0]} thread{'s' if name[0] != '1' else ''}{', pruned' if ',' in name else ''}"
            there = [point for point in points if name in point["seconds"]]
            seconds = [median(point["seconds"][name]) for point in there]
            sizes = [point["increments"] for point in there]
            axes[0, 0].plot(sizes, seconds, MARKERS[k], linestyle="-", color=PALETTE[k], label=title)
        if "ceiling" in results:
            names = [name for name in results["ceiling"]["seconds"] if name.startswith("ceiling")]
            best = max(rate(results["ceiling"], name) for name in names)
            seconds = [n / best for n in increments]
            axes[0, 0].plot(increments, seconds, color=MUTED, linestyle="--", label="ceiling, all threads")
        axes[0, 0].set(xscale="log", yscale="log", xlabel="increments", ylabel="seconds, median")
        axes[0, 0].xaxis.set_major_formatter(COUNTS)
        axes[0, 0].yaxis.set_major_formatter(PLAIN)
        axes[0, 0].legend()
        figure.tight_layout()
        save_figure(figure, path)


def sizes_text(part: dict[str, Any]) -> str:
    """What was counted."""
    return (
        f"{part['n_latents']:,} latents, {part['n_tokens']:,} tokens, {part['mean_l0']:.0f} latents on a mean token: "
        f"{part['increments']:.3g} increments."
    )
